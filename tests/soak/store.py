"""The object store of the soak: a SeaweedFS that is killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from waybill.storage.seaweedfs import SeaweedServer
from waybill.storage.server_identity import ServerIdentity


class Store:
    """The server of one home, by its process id."""

    def __init__(self, home: Path, logs: Path) -> None:
        """Each start would overwrite the log of the one before: it is kept in `logs`."""
        self._directory = home / "s3"
        self._logs = logs
        self._starts = 0

    def kill(self) -> None:
        """`kill -9`."""
        self._signal(signal.SIGKILL)

    def start(self) -> None:
        """Start it again, with its data, where it was."""
        self.keep_log()
        server = SeaweedServer(self._directory)
        # `ensure_running` would choose other ports; links and proxies know these.
        server._start(ServerIdentity.load(self._directory / "server.json"))

    def restart(self) -> None:
        """As an operator does who has made room on its disk."""
        with suppress(ProcessLookupError):
            self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def keep_log(self) -> None:
        """Copy what it has logged until now."""
        self._starts += 1
        kept = self._logs / f"store-{self._starts:03}"
        shutil.copytree(self._directory / "logs", kept, symlinks=True, dirs_exist_ok=True)
        shutil.copy(self._directory / "server.log", kept)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(int((self._directory / "server.pid").read_text()), number)
