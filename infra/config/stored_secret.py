"""The secret that an installation draws for itself, in a file of its home."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.home import private_file, private_home

#: RFC 7518 §3.2: a key of the size of the hash, or larger.
MIN_SECRET_BYTES = 32


def stored_secret(path: Path) -> str:
    """The secret in `path`, drawn now if there is none; readable by its owner only.

    Processes that start at the same time agree on one: a draft is written to the disk whole, and
    a link makes it the secret, once.

    Raises:
        BadSettings: the file holds fewer than 32 bytes, which anybody could try out; or it cannot
            be written or read.
    """
    try:
        if not path.exists():
            private_home(path.parent)
            _draw(path)
        secret = private_file(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise BadSettings(f"{path} cannot be used: {reason}.") from None
    if len(secret.strip().encode()) < MIN_SECRET_BYTES:
        raise BadSettings(
            f"{path} holds fewer than {MIN_SECRET_BYTES} bytes. Remove it, and restart every"
            " process of this home: they draw another secret."
        )
    return secret


def _draw(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    """Make `draft` the secret, unless another process was first: then its secret is everybody's."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without links. The folder's lock has the processes take turns.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            if not path.exists():
                draft.rename(path)
        finally:
            os.close(folder)
