"""The embedded server: shared by processes, ended by the last, found again after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.stored_keys import stored_keys
from waybill.storage.config import S3Config
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.errors import EmbeddedServerError
from waybill.storage.s3 import S3Store

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


def put(config: S3Config, key: str) -> None:
    store = S3Store(config)
    store.ensure_bucket(retention_days=7)
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"kept")
    store.close()


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
        sockets = {os.readlink(entry) for entry in (process / "fd").iterdir() if entry.exists()}
        listening = []
        for table in ("net/tcp", "net/tcp6"):
            for line in (process / table).read_text().splitlines()[1:]:
                _, address, _, state, *_, inode = line.split()[:10]
                if state == "0A" and f"socket:[{inode}]" in sockets:
                    listening.append(address.partition(":")[0])
        assert config.secret_access_key not in (process / "cmdline").read_text()
        assert config.secret_access_key not in repr(config)
        assert config.secret_access_key not in (home / "s3" / "server.log").read_text()
    assert len(listening) >= 5
    assert set(listening) == {"0100007F"}
    assert (home / "s3" / "server.json").stat().st_mode & 0o777 == 0o600
    assert (home / "s3").stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    index = home / "s3" / "data" / "filerldb2"
    index.parent.mkdir(parents=True)
    index.write_text("not a directory")
    with pytest.raises(EmbeddedServerError, match="filerldb2"), EmbeddedS3(home):
        pass
    assert not (home / "s3" / "server.pid").exists()
    index.unlink()
