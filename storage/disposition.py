"""The Content-Disposition header that names a download."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

from waybill.storage.errors import InvalidFilename

#: Characters RFC 5987 (§3.2.1, attr-char) lets stand for themselves, beyond those that
#: `quote` never touches.
_ATTR_CHAR = "!#$&+^`|"
#: Quoted, escaped or percent-decoded differently from browser to browser. (RFC 6266, app. D.)
_UNSAFE_IN_QUOTES = frozenset('"\\/%;')


def content_disposition(filename: str) -> str:
    """``attachment`` under `filename`: exact for RFC 6266 clients, readable for the rest.

    The header is ASCII whatever the name holds. Path separators become ``_``.

    Raises:
        InvalidFilename: empty, or with control characters (a header could be injected),
            or with half a surrogate pair.
    """
    if not filename or any(unicodedata.category(char) in {"Cc", "Cs"} for char in filename):
        raise InvalidFilename
    exact = quote(filename.replace("/", "_").replace("\\", "_"), safe=_ATTR_CHAR)
    return f"attachment; filename=\"{_ascii_fallback(filename)}\"; filename*=UTF-8''{exact}"


def _ascii_fallback(filename: str) -> str:
    """`filename` with accents dropped and everything else that is not plain ASCII as ``_``."""
    decomposed = unicodedata.normalize("NFKD", filename)
    kept = (char for char in decomposed if not unicodedata.combining(char))
    return "".join(
        char if char.isascii() and char.isprintable() and char not in _UNSAFE_IN_QUOTES else "_"
        for char in kept
    )
