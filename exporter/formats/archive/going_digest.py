"""A SHA-256 that another process can go on with.

`hashlib` keeps its state to itself. The same library of OpenSSL, called with its older functions,
shows it: eight words, a count, and the bytes that fill no block yet. Where this Python has no such
library, digests work as ever, and nothing goes on in the middle of one.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

#: As OpenSSL has it: state, length in bits as two words, block, bytes in it, length of the digest.
_CONTEXT = struct.Struct("=8I2I64s2I")
_BLOCK_BYTES = 64


class GoingDigest:
    """The SHA-256 of all bytes of `update`, behind those of `begin`."""

    def __init__(self, begin: Mapping[str, Any] | None = None) -> None:
        """`begin` is what `state` was in another process.

        Raises:
            RuntimeError: this Python cannot go on.
        """
        library = _library()
        if library is None and begin is not None:
            raise RuntimeError("this Python cannot go on with a digest")
        self._context = None if library is None else _Context(library, begin)
        self._plain = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Append `data`. Releases the GIL while it works."""
        (self._context or self._plain).update(data)

    def hexdigest(self) -> str:
        """The digest so far."""
        return (self._context or self._plain).hexdigest()

    @property
    def state(self) -> dict[str, Any] | None:
        """What another process goes on with, as JSON; None where that cannot be said."""
        return None if self._context is None else self._context.state


class _Context:
    def __init__(self, library: ctypes.CDLL, begin: Mapping[str, Any] | None = None) -> None:
        self._library = library
        # Larger than needed, should a library keep more.
        self._memory = ctypes.create_string_buffer(4 * _CONTEXT.size)
        library.SHA256_Init(self._memory)
        if begin is not None:
            rest, size = bytes.fromhex(begin["rest"]), begin["size"]
            *_, length = _CONTEXT.unpack_from(self._memory)
            _CONTEXT.pack_into(
                self._memory,
                0,
                *begin["words"],
                8 * size & 0xFFFF_FFFF,
                8 * size >> 32,
                rest,
                len(rest),
                length,
            )

    def update(self, data: bytes) -> None:
        self._library.SHA256_Update(self._memory, data, len(data))

    def hexdigest(self) -> str:
        ended = ctypes.create_string_buffer(self._memory.raw, len(self._memory))
        digest = ctypes.create_string_buffer(hashlib.sha256().digest_size)
        self._library.SHA256_Final(digest, ended)
        return digest.raw.hex()

    @property
    def state(self) -> dict[str, Any]:
        *words, low, high, block, filled, _ = _CONTEXT.unpack_from(self._memory)
        size = ((high << 32) + low) // 8
        return {"words": words, "size": size, "rest": block[:filled].hex()}


@cache
def _library() -> ctypes.CDLL | None:
    """The library that `hashlib` uses, if it has the functions and they do what they should."""
    try:
        library = ctypes.CDLL(import_module("_hashlib").__file__)
        library.SHA256_Init.argtypes = [ctypes.c_void_p]
        library.SHA256_Update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        library.SHA256_Final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    except (ImportError, AttributeError, OSError, TypeError):
        return None
    return library if _works(library) else None


def _works(library: ctypes.CDLL) -> bool:
    """Whether a digest that goes on is the one of all bytes."""
    data = bytes(range(256)) * 3
    for cut in (0, 1, _BLOCK_BYTES, len(data) - 1):
        first = _Context(library)
        first.update(data[:cut])
        second = _Context(library, first.state)
        second.update(data[cut:])
        if second.hexdigest() != hashlib.sha256(data).hexdigest():
            return False
    return True
