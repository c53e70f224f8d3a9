"""The digest of a file that several workers wrote: a hash of hashes, and so marked.

No process sees all bytes of such a file. Its digest is the SHA-256 of the SHA-256s of its leaves,
in order: the bytes from one place where a worker can go on to the next one, and the file's end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_MARK = "sha256-tree:"


def tree_digest(leaves: Iterable[str]) -> str:
    """The digest of a file whose pieces have these SHA-256s, in hexadecimal digits."""
    return _MARK + hashlib.sha256(b"".join(map(bytes.fromhex, leaves))).hexdigest()


def is_tree_digest(digest: str | None) -> bool:
    """Whether it is no SHA-256 of a file."""
    return digest is not None and digest.startswith(_MARK)
