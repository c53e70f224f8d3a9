"""A key of its own for each purpose, from one secret: none of them tells anything of another."""

from __future__ import annotations

_KEY_BYTES = 32


def derived_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for `purpose` by HKDF-SHA256 (RFC 5869). The same arguments give the same key."""
    # Imported here: most commands of the command line sign nothing, and loading takes 20 ms.
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"waybill " + purpose.encode()
    return HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)
