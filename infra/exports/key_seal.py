"""Keys of files with a password, sealed for the time between the request and the end of its task.

A password is gone when its request has been answered. What a worker needs of it are the keys that
it gave: several sets, as each attempt to write the file has to use other ones. They are encrypted
by a secret of the installation (AES-256-GCM), and bound to their task.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.errors import ExportRejected
from waybill.infra.config.derived_keys import derived_key

_PURPOSE = "file keys"
_NONCE_BYTES = 12

#: How often the file of one task can be begun. Attempts that cost nothing count, too: those of a
#: worker that was stopped, or of an installation in trouble. All sets together take 15 ms to make.
KEY_SETS = 16


class PasswordLost(ExportRejected):
    """The keys of this file's password are used up or cannot be read any more."""

    code = "password_lost"


class KeySeal:
    """Seals with the first secret of the installation, and opens with any that is in force."""

    def __init__(self, master_keys: Callable[[], Sequence[bytes]]) -> None:
        self._master_keys = master_keys

    @classmethod
    def of(cls, webhook_keys: Sequence[bytes], shared: Callable[[str], bytes]) -> KeySeal:
        """With the secrets that webhooks are signed with.

        Where processes share none, `shared` gives the one of a name that is in the task database:
        who can read that can read these keys, too.
        """
        return cls(lambda: webhook_keys or [shared(_PURPOSE)])

    @cached_property
    def _ciphers(self) -> list[AESGCM]:
        return [AESGCM(derived_key(key, _PURPOSE)) for key in self._master_keys()]

    def of_password(self, password: str) -> Callable[[UUID], bytes]:
        """What seals `KEY_SETS` sets of keys of `password` for a task, once its id is known."""
        # Here, and not where a transaction is open: the secret may have to be read or drawn.
        cipher = self._ciphers[0]
        keys = b"".join(FileKeys.of(password).packed for _ in range(KEY_SETS))

        def seal(task_id: UUID) -> bytes:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            return nonce + cipher.encrypt(nonce, keys, task_id.bytes)

        return seal

    def open(self, task_id: UUID, sealed: bytes, number: int) -> FileKeys:
        """Set number `number` of the keys of a task, from 0.

        Raises:
            PasswordLost: there is no such set, or they were sealed with a secret that is in force
                no more.
        """
        keys = self._opened(task_id, sealed)
        length = FileKeys.PACKED_BYTES
        found = keys[number * length : (number + 1) * length]
        if not found:
            raise PasswordLost(
                "The file was begun too often: the keys of its password are used up."
            )
        return FileKeys.unpacked(found)

    def _opened(self, task_id: UUID, sealed: bytes) -> bytes:
        nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, data, task_id.bytes)
            except InvalidTag:
                continue
        raise PasswordLost("The keys of the password cannot be read with the secrets in force.")
