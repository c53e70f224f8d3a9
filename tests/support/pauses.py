"""Pauses: a worker waits at a failpoint until the test lets it go on, however fast the machine is.

Its other threads run on, so it keeps its leases.
"""

from __future__ import annotations

import secrets
from pathlib import Path


class Pause:
    """Workers that are started with `at` wait there until the pause is ended, or left.

    Enter it after its workers: an error within it ends the pause before their contexts end them.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"pause-{secrets.token_hex(4)}"
        self._file.touch()

    def at(self, point: str = "w.batch") -> dict[str, str]:
        """The environment of a process that waits at `point`, each time that it passes it.

        At "w.batch" a worker has begun a shard, and at "shard.recorded" it has written one.
        """
        return {"FAILPOINT_PAUSE": f"{point}:{self._file}"}

    def end(self) -> None:
        """Let them go on."""
        self._file.unlink(missing_ok=True)

    def __enter__(self) -> Pause:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
