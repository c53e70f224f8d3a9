"""Text for a terminal: what a stranger wrote moves no cursor, and forges no line.

The body of a dead letter may hold any bytes. They may be commands to the terminal of the
operator who reads it: a title, a colour, an answer typed in the operator's name.
"""

from __future__ import annotations

import re

#: Control characters but tab and line feed, of ASCII and of Latin-1; line ends that are none in a
#: file; and marks that show text in another order than it is written. (Unicode TR 36, section 3.3)
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def visible(text: str) -> str:
    r"""`text` with such characters as escapes: ``\u001b`` for ESC. Also right inside JSON."""
    return _ACTIVE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(value: object) -> str:
    """A value within a line: line ends are escaped as well."""
    return visible(str(value)).replace("\n", "\\n")
