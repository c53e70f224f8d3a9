"""File names for downloads and archives, safe on every operating system.

They are for people only: objects in the store are named by ids. Entries N7 to N10 of the
hostile-input corpus list what a name has to survive.
"""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import date

from waybill.exporter.errors import InvalidRequest

#: Bytes of UTF-8. File systems allow 255; browsers append " (1)" and ".crdownload".
MAX_BYTES = 200

#: The name if nothing usable is left of the requested one.
_FALLBACK = "export"

#: Device names of Windows, reserved with any extension and in any case.
_RESERVED = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]", re.IGNORECASE)

#: Characters Windows refuses in names. Slashes are handled before.
_REFUSED = re.compile(r'[<>:"|?*]')

#: Controls, line separators and lone surrogates, by their Unicode categories.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})

#: Characters that turn the reading direction, so that ``exe.xslx`` reads as something else,
#: and the byte order mark.
_UNSEEN = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)

#: One or two short extensions at the end, ``.xlsx`` or ``.csv.gz``: they survive a cut.
_EXTENSIONS = re.compile(r"(?:\.[A-Za-z0-9]{1,8}){1,2}$")


_PLACEHOLDERS = frozenset({"name", "today", "filters"})
#: A placeholder of the filters, with the separator that belongs to it.
_FILTERS = re.compile(r"[-_ ]?\{filters\}")


def set_file_name(shard: int, extension: str) -> str:
    """The name of the file of a shard, counted from 0, in a set of files."""
    return f"part-{shard + 1:05d}.{extension}"


def render_filename(
    pattern: str, *, name: str, today: date, extension: str, filters: str = ""
) -> str:
    """The file name for `pattern`, in which ``{name}``, ``{today}`` and ``{filters}`` may stand.

    Without `filters` their placeholder goes, and the separator before it. `extension` comes
    without a dot and is added unless it is there already.

    Raises:
        InvalidRequest: the pattern holds another placeholder, or the name a line break.
    """
    check_pattern(pattern)
    if not filters:
        pattern = _FILTERS.sub("", pattern) or "{name}"
    text = pattern.format(name=name, today=today.isoformat(), filters=filters)
    if not text.casefold().endswith(f".{extension}"):
        text = f"{text}.{extension}"
    return safe_filename(text)


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that `render_filename` cannot render. Call it where a pattern is declared.

    Raises:
        InvalidRequest: naming the placeholder.
    """
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError:
        raise InvalidRequest("The file name has a brace without its partner.") from None
    for _, field, form, conversion in parts:
        if field is not None and (field not in _PLACEHOLDERS or form or conversion):
            raise InvalidRequest(
                f"The file name may hold {{name}}, {{today}} and {{filters}}, not {{{field}}}."
            )


def with_filters(pattern: str) -> str:
    """`pattern` with a place for the filters, at its end unless it has one."""
    return pattern if "{filters}" in pattern else f"{pattern}-{{filters}}"


def safe_filename(text: str) -> str:
    """The last component of the path `text`, safe to save and to unpack on any system.

    Replace the slashes of a title first: a title is no path, and only the text behind its last
    slash would be left.

    Raises:
        InvalidRequest: it contains a line break, which could split a header.
    """
    if "\r" in text or "\n" in text:
        raise InvalidRequest("A file name cannot hold a line break.")
    last = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    seen = "".join(character for character in last if not _is_unseen(character))
    name = _REFUSED.sub("_", unicodedata.normalize("NFC", seen)).strip().rstrip(". ")
    if not name or name.startswith("."):
        name = _FALLBACK + name
    first, dot, rest = name.partition(".")
    if _RESERVED.fullmatch(first.rstrip()):
        name = f"{first.rstrip()}_{dot}{rest}"
    stem, extension = _split_extension(name)
    return _fit(stem, extension)


def part_filename(title: str, number: int, extension: str) -> str:
    """The name of one of several files: ``{title}-00001.{extension}``, cut inside the title."""
    stem = safe_filename(re.sub(r"[\s/\\]+", " ", title).strip(". "))
    return _fit(stem, f"-{number:05d}.{extension}")


def _is_unseen(character: str) -> bool:
    return character in _UNSEEN or unicodedata.category(character) in _UNPRINTABLE


def _split_extension(name: str) -> tuple[str, str]:
    match = _EXTENSIONS.search(name)
    at = match.start() if match else len(name)
    return name[:at], name[at:]


def _fit(stem: str, tail: str) -> str:
    """`stem` and `tail`, with `stem` cut between two characters if together they are too long."""
    room = MAX_BYTES - len(tail.encode())
    if len(stem.encode()) > room:
        stem = stem.encode()[:room].decode(errors="ignore").rstrip(" .")
    return stem + tail
