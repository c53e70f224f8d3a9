"""Webhook URLs as they are stored: the host to read, the path encrypted, since it may be a secret.

A reader of the database, or of a backup of it, cannot post to a receiver. AES-SIV (RFC 5297) gives
the same text for the same URL, so that equal requests stay equal, and binds a path to its host.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from waybill.infra.config.derived_keys import derived_key
from waybill.infra.tasks.notifications import WEBHOOK

_ORIGIN = re.compile(r"https?://[^/?]+")
_SEALED = "/sealed.v1."
_PURPOSES = ("webhook paths, authentication", "webhook paths, encryption")


class UnreadableTarget(ValueError):
    """A stored URL was encrypted with a secret that is in force no more."""


class StoredTargets:
    """Encrypts with the first of the installation's secrets, and reads with any of them."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._ciphers = [
            AESSIV(b"".join(derived_key(key, purpose) for purpose in _PURPOSES))
            for key in master_keys
        ]

    def seal(self, notify: Mapping[str, str]) -> dict[str, str]:
        """The targets of a request as they are stored. Their URLs have been checked."""
        if WEBHOOK not in notify:
            return dict(notify)
        url = notify[WEBHOOK]
        origin = _ORIGIN.match(url)[0]  # type: ignore[index]  # every checked URL has one
        path = url.removeprefix(origin) or "/"
        sealed = self._ciphers[0].encrypt(path.encode(), [origin.encode()])
        text = base64.urlsafe_b64encode(sealed).decode()
        return {**notify, WEBHOOK: f"{origin}{_SEALED}{text}"}

    def open(self, stored: str) -> str:
        """The URL of a stored webhook. One that an older version stored comes back as it is.

        Raises:
            UnreadableTarget.
        """
        origin, mark, text = stored.partition(_SEALED)
        if not mark:
            return stored
        for cipher in self._ciphers:
            try:
                path = cipher.decrypt(base64.urlsafe_b64decode(text), [origin.encode()])
            except (InvalidTag, ValueError):
                continue
            return origin + path.decode()
        raise UnreadableTarget
