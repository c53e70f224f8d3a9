"""The embedded S3 server of a home directory, shared by its processes and stopped by the last.

How they agree, without a daemon and with `kill -9` in mind::

    start.lock   held exclusively by a process that is starting or stopping the server
    users.lock   held shared by every user for as long as it uses the server

A process that leaves and can take ``users.lock`` exclusively was the last: it stops the server.
A killed user leaves nothing locked and the server running; the next user finds it and
uses it on. Everything is in ``home/s3``, readable by its owner only; objects stay there. Its HTTP
ports serve signed requests alone. Its gRPC ports are on loopback without credentials: local users
who speak that protocol reach the objects, so the embedded server is for a machine of one's own.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from types import TracebackType

from waybill.storage.config import S3Config
from waybill.storage.seaweedfs import SeaweedServer


class EmbeddedS3:
    """A context manager whose value says where the server is. It may be entered once.

    Entering takes about a second when the server has to be started, and next to nothing
    when another process has done so. The bucket is not created.

    Raises:
        EmbeddedServerError: the server is not installed or does not start.
    """

    def __init__(self, home: Path, *, bucket: str = "waybill-exports") -> None:
        self._directory = home / "s3"
        self._bucket = bucket
        self._server = SeaweedServer(self._directory)
        self._use: BufferedRandom | None = None

    def __enter__(self) -> S3Config:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._starting_or_stopping():
            config = self._server.ensure_running(self._bucket)
            self._use = (self._directory / "users.lock").open("a+b")
            fcntl.flock(self._use, fcntl.LOCK_SH)
        return config

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        use, self._use = self._use, None
        if use is None:
            return
        with self._starting_or_stopping(), use:
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._server.stop()

    @contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        with (self._directory / "start.lock").open("a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
