"""Masks: what is shown of a column's values to those who may not see them in full.

NULL stays NULL but under ``hide``. A masked column is text, and neither sorted nor filtered by.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Hashed:
    """Equal values become equal codes of 32 characters (HMAC-SHA-256), which nobody can reverse.

    Without `key` a code tells nothing, not even by trying all telephone numbers. Keep it out of
    the source: ``Hashed(os.environ["PSEUDONYM_KEY"])``. Another key gives other codes.

    Raises:
        ValueError: `key` has less than 16 bytes.
    """

    key: str | bytes = field(repr=False)
    #: Tells files of two keys apart without naming the keys.
    key_id: str = field(init=False)

    def __post_init__(self) -> None:
        if len(self.key_bytes) < 16:
            raise ValueError("the key of a hashed column needs 16 bytes or more")
        object.__setattr__(self, "key_id", hashlib.sha256(self.key_bytes).hexdigest()[:12])

    @property
    def key_bytes(self) -> bytes:
        """The key as bytes."""
        return self.key.encode() if isinstance(self.key, str) else self.key


#: ``hide``: ``***`` for every value. ``last4``: ``****`` and the last four characters of values of
#: eight or more. ``email``: the first letter and the domain.
Mask = Literal["hide", "last4", "email"] | Hashed
