"""Which workers of one WAYBILL_HOME have ended: each holds a lock on a file there while it lives.

The kernel releases the lock when the process ends, however it ends, so a worker that is started
again takes the tasks of one that was killed without waiting for their leases. Names of workers are
random, so that no process is taken for another one.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.home import private_file, private_home

log = logging.getLogger(__name__)

_FOLDER = "workers"
_SUFFIX = ".lock"


@contextmanager
def worker_lock(home: Path, name: str) -> Iterator[None]:
    """Hold the lock of the worker `name`. Without a home that can be written, there is none.

    The file stays: what this worker leaves behind is looked for at the next start.
    """
    with ExitStack() as held:
        try:
            folder = private_home(private_home(home) / _FOLDER)
            draft = private_file(folder / f"{name}.new")
            file = held.enter_context(draft.open("rb+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Under this name once it is locked: nobody sees it unlocked while we live.
            draft.rename(folder / f"{name}{_SUFFIX}")
        except (BadSettings, OSError):
            log.info("a worker whose home has no lock for it", extra={"worker": name})
        yield


@contextmanager
def ended_workers(home: Path) -> Iterator[list[str]]:
    """The names of workers of `home` that have ended; forgotten when the context ends well."""
    found: dict[str, Path] = {}
    with ExitStack() as held:
        for path in sorted((home / _FOLDER).glob(f"*{_SUFFIX}")):
            try:
                fcntl.flock(held.enter_context(path.open("rb+")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # it lives, or the file system knows no locks
                continue
            found[path.name.removesuffix(_SUFFIX)] = path
        yield list(found)
        for path in found.values():
            path.unlink(missing_ok=True)
