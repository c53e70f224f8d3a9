"""The Content-Disposition header that names a download."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import quote

from waybill.storage.errors import InvalidFilename

#: Characters RFC 5987 (§3.2.1, attr-char) lets stand for themselves, beyond those that
#: `quote` never touches.
_ATTR_CHAR = "!#$&+^`|"
#: Quoted, escaped or percent-decoded differently from browser to browser. (RFC 6266, app. D.)
_UNSAFE_IN_QUOTES = frozenset('"\\/%;')
#: ``orders`` and ``.csv.gz``.
_STEM_AND_EXTENSION = re.compile(r"(.*?)((?:\.[A-Za-z0-9]{1,8})*)")
#: Enough for the files in one folder of downloads.
_TAG_CHARS = 8


def content_disposition(filename: str, key: str) -> str:
    """``attachment`` under `filename`: exact for RFC 6266 clients, readable for the rest.

    The header is always ASCII. Path separators become ``_``. Where the plain name
    loses letters, a tag made of `key`, the object's key, tells it from that of every other file.

    Raises:
        InvalidFilename: empty, or with control characters (a header could be injected),
            or with half a surrogate pair.
    """
    if not filename or any(unicodedata.category(char) in {"Cc", "Cs"} for char in filename):
        raise InvalidFilename
    exact = quote(filename.replace("/", "_").replace("\\", "_"), safe=_ATTR_CHAR)
    fallback = _ascii_fallback(filename, key)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}"


def _ascii_fallback(filename: str, key: str) -> str:
    """`filename` with accents dropped, and ``_`` for everything else that is not plain ASCII."""
    decomposed = unicodedata.normalize("NFKD", filename)
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    plain = "".join(
        char if char.isascii() and char.isprintable() and char not in _UNSAFE_IN_QUOTES else "_"
        for char in kept
    )
    if kept.isascii():
        return plain
    stem, extension = _STEM_AND_EXTENSION.fullmatch(plain).groups()  # type: ignore[union-attr]  # always
    return f"{stem if stem.strip('_ ') else 'export'}-{_tag(key)}{extension}"


def _tag(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:_TAG_CHARS]
