"""The memory budget of a process, and what follows from it: exports at once, and the largest row.

The figures come from measurements of whole processes (docs/performance.md, "Memory").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from waybill.infra.config.memory_limit import available_memory

MIB = 1 << 20

_SIZE = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?P<unit>%|[kmgt]?i?b?)", re.I)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZES = "must be a size such as 512MiB or 1.5GB"
_EXPECTED = f"{_SIZES}, or a share of the memory such as 60%"

#: A smaller process cannot even start.
_LEAST = 64 * MIB
#: 1 PiB: beyond it a size is a mistake.
_MOST = 1 << 50

#: What a worker takes before its first export. (Measured: 193 to 205 MiB.)
_IDLE = 200 * MIB
#: What each export adds. (Measured: 54 MiB with three columns; the rest is room for wider ones.)
_EXPORT = 100 * MIB
#: A row that is rendered by itself takes up to this many times its size. (Measured: 13.5.)
_ROW_COPIES = 14
#: Rows of this size are always exported: they fit into what an export takes anyway.
_LEAST_ROW = 16 * MIB


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """What one process may take in bytes, its exports and itself together."""

    size_bytes: int

    @property
    def exports_at_once(self) -> int:
        """How many exports fit; at least one, which always runs."""
        return max(1, (self.size_bytes - _IDLE) // _EXPORT)

    @property
    def max_row_bytes(self) -> int:
        """The largest row that can be exported, in bytes of its values."""
        return max(_LEAST_ROW, (self.size_bytes - _IDLE) // _ROW_COPIES)


def check_memory(text: str) -> str:
    """`text`, if `memory_budget` can read it.

    Raises:
        ValueError: it is no size and no share.
    """
    _bytes_of(text, 1 << 40)
    return text


def memory_budget(text: str) -> MemoryBudget:
    """The budget that `text` states; a share is one of the container's limit, or the machine's."""
    return MemoryBudget(_bytes_of(text, available_memory()))


def check_size(text: str) -> str:
    """`text`, if `size_in_bytes` can read it.

    Raises:
        ValueError: it is no size.
    """
    size_in_bytes(text)
    return text


def size_in_bytes(text: str) -> int:
    """The number of bytes that `text` states, such as ``2GiB``.

    Raises:
        ValueError: it is no size, none at all, or more than a pebibyte.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or found["unit"] == "%":
        raise ValueError(_SIZES)
    size = _size(found)
    if not 1 <= size <= _MOST:
        raise ValueError(_SIZES)
    return size


def _bytes_of(text: str, whole: int) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(_EXPECTED)
    if found["unit"] == "%":
        share = Decimal(found["number"])
        if not 0 < share <= 100:
            raise ValueError("must be more than 0% and at most 100%")
        return int(whole * share / 100)
    size = _size(found)
    if not _LEAST <= size <= _MOST:
        raise ValueError("must be at least 64MiB")
    return size


def _size(found: re.Match[str]) -> int:
    unit = found["unit"].lower()
    base = 1024 if "i" in unit else 1000
    return int(Decimal(found["number"]) * base ** _POWERS[unit.rstrip("ib")])
