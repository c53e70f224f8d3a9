"""The file `.env` of the working directory, from which settings are read: whose it has to be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from waybill.infra.config.errors import BadSettings

ENV_FILE = ".env"


def check_env_file(path: Path = Path(ENV_FILE)) -> None:
    """Refuse a file that somebody else may have written: settings name code that is loaded.

    It has to be of this user, of root, or of who called `sudo`, and not writable for everybody.

    Raises:
        BadSettings: it is not.
        OSError: its folder cannot be read.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        return
    trusted = {0, os.geteuid(), int(os.environ.get("SUDO_UID") or 0)}
    if state.st_uid not in trusted or state.st_mode & stat.S_IWOTH:
        raise BadSettings(
            f"{path} in the working directory is another user's, or everybody may write to it, and"
            " settings name code to run. Use chown and chmod o-w, or set environment variables."
        )
