"""The kernel's out-of-memory killer for one process, where no control group can be made."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PAUSE_SECONDS = 0.005


@contextmanager
def killed_beyond(pid: int, max_bytes: int) -> Iterator[None]:
    """SIGKILL process `pid` as soon as more than `max_bytes` of its memory are resident."""
    done = threading.Event()

    def watch() -> None:
        statm = Path(f"/proc/{pid}/statm")
        page = os.sysconf("SC_PAGE_SIZE")
        while not done.wait(_PAUSE_SECONDS):
            # A process that has ended has no memory.
            with suppress(OSError, IndexError):
                if int(statm.read_text().split()[1]) * page > max_bytes:
                    os.kill(pid, signal.SIGKILL)
                    return

    watcher = threading.Thread(target=watch, name="out-of-memory", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
