"""The secret that an installation draws for itself, in a file of its home."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from waybill.infra.config.errors import BadSettings

#: RFC 7518 §3.2: a key of the size of the hash, or larger.
MIN_SECRET_BYTES = 32


def stored_secret(path: Path) -> str:
    """The secret in `path`, drawn now if there is none; readable by its owner only.

    Processes that start at the same time agree on one: a draft is written to the disk whole, and
    a link makes it the secret, once.

    Raises:
        BadSettings: the file holds fewer than 32 bytes, which anybody could try out.
        OSError: it cannot be written or read.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _draw(path)
    secret = path.read_text()
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
        # Another process may have been first; then its secret is everybody's.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
