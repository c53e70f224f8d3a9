"""File keys: what a password becomes before a file is encrypted by it, as WinZip's AE-2 has it.

A password and a random salt give an AES-256 key, a key that authenticates the ciphertext, and two
bytes by which a reader notices a wrong password. Who has the keys can write the file, and needs
the password no more. The format fixes PBKDF2-HMAC-SHA1 with 1,000 iterations, which is little, so
a password has to be long.

(https://www.winzip.com/en/support/aes-encryption/)
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

_SALT_BYTES = 16
_KEY_BYTES = 32
_VERIFIER_BYTES = 2
_ITERATIONS = 1_000


@dataclass(frozen=True, slots=True)
class FileKeys:
    """The keys of one encrypted file. Never use them for a second one.

    The format has no nonce: two files of the same keys have the same key stream, and together they
    tell what both of them hold.
    """

    salt: bytes
    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    verifier: bytes = field(repr=False)

    #: Length of `packed`.
    PACKED_BYTES = _SALT_BYTES + 2 * _KEY_BYTES + _VERIFIER_BYTES

    @classmethod
    def of(cls, password: str) -> FileKeys:
        """Keys for one file that opens with `password`, which is ASCII. Takes about 1 ms."""
        salt = secrets.token_bytes(_SALT_BYTES)
        length = cls.PACKED_BYTES - _SALT_BYTES
        derived = hashlib.pbkdf2_hmac(
            "sha1", password.encode("ascii"), salt, _ITERATIONS, dklen=length
        )
        return cls.unpacked(salt + derived)

    @property
    def packed(self) -> bytes:
        """All of it as `PACKED_BYTES` bytes, as secret as the file."""
        return self.salt + self.encryption + self.authentication + self.verifier

    @classmethod
    def unpacked(cls, data: bytes) -> FileKeys:
        """The reverse of `packed`.

        Raises:
            ValueError: `data` is of another length.
        """
        if len(data) != cls.PACKED_BYTES:
            raise ValueError(f"file keys are {cls.PACKED_BYTES} bytes, not {len(data)}")
        first, second = _SALT_BYTES, _SALT_BYTES + _KEY_BYTES
        third = second + _KEY_BYTES
        return cls(data[:first], data[first:second], data[second:third], data[third:])
