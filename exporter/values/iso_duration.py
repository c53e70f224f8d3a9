"""ISO durations: spans and calendar intervals in ISO 8601, with PostgreSQL's signs: ``P1Y-2DT-3H``.

Each part carries its own sign, so a text never begins with ``-``, which a spreadsheet would
take for a formula.
"""

from __future__ import annotations

from typing import Protocol

_NANOSECONDS_PER_SECOND = 1_000_000_000


class Interval(Protocol):
    """Months, days and nanoseconds, none of which converts into another."""

    months: int
    days: int
    nanoseconds: int


def duration_text(nanoseconds: int) -> str:
    """An exact span of time; hours are not folded into days, which may have 23 of them."""
    return "P" + (_clock(nanoseconds) or "T0S")


def interval_text(interval: Interval) -> str:
    """A calendar interval; every part that is not zero."""
    years, months = divmod(abs(interval.months), 12)
    sign = -1 if interval.months < 0 else 1
    parts = [(sign * years, "Y"), (sign * months, "M"), (interval.days, "D")]
    calendar = "".join(f"{number}{unit}" for number, unit in parts if number)
    return "P" + (calendar + _clock(interval.nanoseconds) or "T0S")


def _clock(nanoseconds: int) -> str:
    if not nanoseconds:
        return ""
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), _NANOSECONDS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    parts = [(hours, "H", ""), (minutes, "M", ""), (seconds, "S", decimals)]
    return "T" + "".join(
        f"{sign}{number}{more}{unit}" for number, unit, more in parts if number or more
    )
