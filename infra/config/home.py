"""WAYBILL_HOME: local state that its owner alone may read, also where an older version made it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from waybill.infra.config.errors import BadSettings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_home(home: Path) -> Path:
    """`home`, made if it is missing, and closed to everybody but its owner.

    A folder that is more than a home stays as it is: one that all may write to, such as ``/tmp``,
    the working directory and the user's own.

    Raises:
        BadSettings: it cannot be made or used.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = home.stat().st_mode
        if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise BadSettings(
            f"WAYBILL_HOME: this user cannot make or use the folder: {error.strerror}."
            " Set it to a folder that this user may write."
        ) from None
    if not mode & stat.S_ISVTX and home.resolve() not in (Path.cwd(), Path.home(), Path("/")):
        _close_to_others(home)
    return home


def private_file(path: Path) -> Path:
    """`path`, made if it is missing, and closed to everybody but its owner.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _close_to_others(path)
    return path


def private_database(home: Path) -> Path:
    """The SQLite file of `home`, closed to others with what SQLite keeps beside it.

    Raises:
        BadSettings: the home, or the file, cannot be made.
    """
    path = private_home(home) / "waybill.db"
    try:
        private_file(path)
    except OSError as error:
        raise BadSettings(f"WAYBILL_HOME: waybill.db cannot be made: {error.strerror}.") from None
    # SQLite makes them with the rights of the file; an older version left them open with it.
    for name in ("waybill.db-wal", "waybill.db-shm"):
        _close_to_others(home / name)
    return path


def _close_to_others(path: Path) -> None:
    """Take the rights of group and others, where it is ours and the file system knows rights."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
