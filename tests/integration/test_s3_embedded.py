"""The embedded server: shared by processes, ended by the last, found again after a crash."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.stored_keys import stored_keys
from waybill.storage.config import S3Config
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.errors import EmbeddedServerError
from waybill.storage.s3 import S3Store
from waybill.storage.server_identity import ServerIdentity

#: Another process that uses the server of a home until its standard input ends.
USER = """
import sys
from pathlib import Path
from waybill.storage.embedded import EmbeddedS3
with EmbeddedS3(Path(sys.argv[1])) as config:
    print(config.endpoint_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    with suppress(FileNotFoundError):
        pid = pid_of(home)
        # A failed test left it running. Whoever enters next is the last to leave.
        if is_running(pid):
            with EmbeddedS3(home):
                pass


@contextmanager
def other_user(home: Path) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        yield process


def pid_of(home: Path) -> int:
    return int((home / "s3" / "server.pid").read_text())


def is_running(pid: int) -> bool:
    """Whether it runs; a zombie nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def put(config: S3Config, key: str, content: bytes = b"kept") -> None:
    store = S3Store(config)
    store.ensure_bucket()
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(content)
    store.close()


def listening_sockets(pid: int) -> set[tuple[str, int]]:
    """Address, as the kernel writes it, and port of each TCP socket that the process listens on."""
    process = Path(f"/proc/{pid}")
    sockets = {os.readlink(entry) for entry in (process / "fd").iterdir() if entry.exists()}
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        for line in (process / table).read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                host, _, port = address.partition(":")
                found.add((host, int(port, 16)))
    return found


def chunks_of(home: Path) -> set[str]:
    """The names by which the volume service knows the stored chunks."""
    names = set()
    for volume in (home / "s3" / "data").rglob("*.dat"):
        # After a superblock of 8 bytes: cookie, id and size of the first chunk.
        head = volume.read_bytes()[8:24]
        if len(head) == 16:
            cookie, number, _ = struct.unpack(">IQI", head)
            names.add(f"{volume.stem.rpartition('_')[2]},{number:x}{cookie:08x}")
    return names


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of an answer without any signature; 0 from a port that speaks no HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Origin": "https://elsewhere.example"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError):
        return 0, b""
    finally:
        connection.close()


def keys(config: S3Config) -> list[str]:
    store = S3Store(config)
    found = stored_keys(store)
    store.close()
    return found


def test_one_server_serves_all_users_and_ends_with_the_last(home: Path) -> None:
    with EmbeddedS3(home) as config:
        pid = pid_of(home)
        with EmbeddedS3(home) as again, other_user(home):
            assert again == config
            assert pid_of(home) == pid
        put(config, "still-there")
        user = other_user(home)
        process = user.__enter__()
    assert is_running(pid), "it has gone with a user that was not the last"
    process.stdin.close()
    assert process.wait(timeout=15) == 0
    user.__exit__(None, None, None)
    assert not is_running(pid)


def test_objects_links_and_credentials_outlive_a_restart(home: Path) -> None:
    with EmbeddedS3(home) as before:
        put(before, "report")
    with EmbeddedS3(home) as after:
        assert after == before
        assert keys(after) == ["report"]


def test_a_killed_user_leaves_a_server_that_the_next_one_takes_over(home: Path) -> None:
    with other_user(home) as process:
        process.kill()
    pid = pid_of(home)
    assert is_running(pid)
    with EmbeddedS3(home):
        assert pid_of(home) == pid
    assert not is_running(pid)


def test_a_server_that_was_killed_is_started_again_with_its_objects(home: Path) -> None:
    with EmbeddedS3(home) as config:
        put(config, "report")
        killed = pid_of(home)
        os.kill(killed, signal.SIGKILL)
        with EmbeddedS3(home) as again:
            assert pid_of(home) != killed
            assert keys(again) == ["report"]


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(home: Path) -> None:
    (home / "s3").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (home / "s3" / "server.pid").write_text(str(bystander.pid))
        with EmbeddedS3(home):
            assert pid_of(home) != bystander.pid
        assert bystander.poll() is None
        bystander.terminate()


def test_only_loopback_is_listened_on_and_no_secret_is_shown(home: Path) -> None:
    with EmbeddedS3(home) as config:
        process = Path(f"/proc/{pid_of(home)}")
        listening = {host for host, _ in listening_sockets(pid_of(home))}
        assert config.secret_access_key not in (process / "cmdline").read_text()
        assert config.secret_access_key not in repr(config)
        assert config.secret_access_key not in (home / "s3" / "server.log").read_text()
    assert listening == {"0100007F"}
    assert (home / "s3" / "server.json").stat().st_mode & 0o777 == 0o600
    assert (home / "s3").stat().st_mode & 0o777 == 0o700


def test_r36_no_port_of_the_server_gives_takes_or_deletes_a_file_without_a_signature(
    home: Path,
) -> None:
    content = os.urandom(64 * 1024)
    with EmbeddedS3(home) as config:
        put(config, "acme/report", content)
        ports = {port for _, port in listening_sockets(pid_of(home))}
        chunks = chunks_of(home)
        assert len(ports) >= 5
        assert urlsplit(config.endpoint_url).port in ports
        assert chunks
        paths = [
            f"/{config.bucket}/acme/report",
            f"/buckets/{config.bucket}/acme/report",
            f"/buckets/{config.bucket}/?pretty=y",
            f"/{config.bucket}/",
            *(f"/{chunk}" for chunk in chunks),
            *(f"/dir/lookup?fileId={chunk}" for chunk in chunks),
            "/dir/assign",
        ]
        for port in ports:
            for path in paths:
                for method in ("GET", "PUT", "POST", "DELETE"):
                    body = b"planted" if method in ("PUT", "POST") else None
                    status, answer = ask(port, method, path, body)
                    assert status == 0 or status >= 400, (method, path, status)
                    assert content[:64] not in answer
        store = S3Store(config)
        assert stored_keys(store) == ["acme/report"]
        assert store.head("acme/report").size_bytes == len(content)
        store.close()


def test_a_server_of_an_older_version_is_started_again_with_signing_keys(home: Path) -> None:
    with EmbeddedS3(home) as config:
        put(config, "report")
        identity = home / "s3" / "server.json"
        stored = json.loads(identity.read_text())
        del stored["signing_keys"]
        identity.write_text(json.dumps(stored))
        older = pid_of(home)
        with EmbeddedS3(home) as again:
            assert pid_of(home) != older
            assert again == config
            assert keys(again) == ["report"]
            kept = json.loads(identity.read_text())["signing_keys"]
            assert len(set(kept.values())) == 4
            log = (home / "s3" / "server.log").read_text()
            assert not any(key in log for key in kept.values())


def test_a_port_that_another_program_took_before_the_start_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = ServerIdentity.with_free_ports
    with ExitStack() as others:
        taken = []

        def overtaken(identity: ServerIdentity) -> ServerIdentity:
            chosen = choose(identity)
            if not taken:
                taken.append(chosen.ports["s3"])
                others.enter_context(socket.create_server(("127.0.0.1", taken[0])))
            return chosen

        monkeypatch.setattr(ServerIdentity, "with_free_ports", overtaken)
        with EmbeddedS3(home) as config:
            assert urlsplit(config.endpoint_url).port not in {None, *taken}
            put(config, "report")


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    index = home / "s3" / "data" / "filerldb2"
    index.parent.mkdir(parents=True)
    index.write_text("not a directory")
    with pytest.raises(EmbeddedServerError, match="filerldb2"), EmbeddedS3(home):
        pass
    assert not (home / "s3" / "server.pid").exists()
    index.unlink()
