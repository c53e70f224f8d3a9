"""Whether a reader found the value that the database's client printed."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any

from tests.corpus.case import ZONE
from tests.judges.differential.declared import Kind

_EXCEL_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001
_UNIX_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001
#: Most readers of workbooks round to a millisecond.
_HALF_SHOWN = dt.timedelta(microseconds=500)
_MICROSECOND = dt.timedelta(microseconds=1)

_INTERVAL = re.compile(
    r"(?=.)((?:[-+]?\d+ (?:year|mon)s? ?)*)([-+]?\d+ days? ?)?"
    r"(?:([-+]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)


class Found(Enum):
    """How a value is there."""

    #: As what it is.
    TYPED = auto()
    #: As the text of it, which has to be counted.
    CARRIED = auto()
    WRONG = auto()


@dataclass(frozen=True, slots=True)
class Serial:
    """A cell that is shown as a date or a duration: Excel's number."""

    days: float


@dataclass(frozen=True, slots=True)
class Calendar:
    """An interval whose length nobody knows: of months, or with parts of both signs."""

    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """JSON as it was parsed."""

    value: Any


@dataclass(frozen=True, slots=True)
class Odd:
    """A text that is no value of its column's kind."""

    text: str


def _parsed(kind: Kind, text: str) -> Any:
    try:
        return _PARSE[kind](text)
    except (ValueError, InvalidOperation, KeyError, struct.error, OverflowError):
        return Odd(text)


def _single(text: str) -> float:
    (number,) = struct.unpack("f", struct.pack("f", float(text)))
    return float(number)


def _boolean(text: str) -> bool:
    return {"t": True, "f": False, "true": True, "false": False, "1": True, "0": False}[text]


def _naive(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is not None or len(text) < len("2024-01-02 10:00"):
        raise ValueError
    return moment


def _aware(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    # MariaDB's client prints no offset, and was told to print UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _span(text: str) -> dt.timedelta | Calendar:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError
    calendar, days, sign, hours, minutes, seconds, fraction = match.groups(default="")
    clock = dt.timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int(fraction.ljust(6, "0")),
    )
    clock = -clock if sign == "-" else clock
    whole = dt.timedelta(days=int(days.split()[0]) if days else 0)
    is_mixed = (whole < dt.timedelta(0) < clock) or (clock < dt.timedelta(0) < whole)
    return Calendar(text) if calendar or is_mixed else whole + clock


def _time(text: str) -> dt.time:
    return dt.time.fromisoformat(text)


def _json(text: str) -> Any:
    return _plain(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Document):
        return _plain(value.value)
    if isinstance(value, dict):
        return sorted((name, _plain(item)) for name, item in value.items())
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


def _text(text: str) -> str:
    return text


_PARSE: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: Decimal,
    Kind.DECIMAL: Decimal,
    Kind.FLOAT: float,
    Kind.SINGLE: _single,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.BYTES: bytes.fromhex,
    Kind.DATE: dt.date.fromisoformat,
    Kind.TIMESTAMP: _naive,
    Kind.INSTANT: _aware,
    Kind.TIME: _time,
    Kind.INTERVAL: _span,
    Kind.JSON: _json,
}
#: Kinds that are text in a format which has no type for them.
_TEXTS = {Kind.TEXT, Kind.JSON}
_DATES = {Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT}
_NUMBERS = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.SINGLE}


def find(kind: Kind, printed: str | None, found: Any) -> Found:
    """How the value that the client `printed` is in `found`, by the type that a reader gives it."""
    if printed is None or found is None:
        return Found.TYPED if printed is found else Found.WRONG
    value = _parsed(kind, printed)
    if isinstance(found, str):
        return _in_text(kind, value, found)
    if isinstance(value, Odd):
        return Found.CARRIED if found == Document(value.text) else Found.WRONG
    same = next((same for types, same in _SAME if isinstance(found, types)), None)
    return Found.TYPED if same is not None and same(kind, value, found) else Found.WRONG


def _in_text(kind: Kind, value: Any, found: str) -> Found:
    if isinstance(value, Odd):
        # As the client has it; in JSON as a string.
        is_there = found == value.text or (kind is Kind.JSON and _parsed(kind, found) == value.text)
        return Found.CARRIED if is_there else Found.WRONG
    if kind is Kind.BYTES:
        is_there = found == base64.b64encode(value).decode()
    elif kind is Kind.BOOLEAN:
        is_there = found == str(value).lower()
    else:
        is_there = _equal(_parsed(kind, found), value)
    if not is_there:
        return Found.WRONG
    return Found.TYPED if kind in _TEXTS else Found.CARRIED


def _equal(one: Any, other: Any) -> bool:
    # NaN is not equal to itself.
    return bool(one == other or (one != one and other != other))


def _same_number(kind: Kind, value: Any, found: Any) -> bool:
    if kind not in _NUMBERS:
        return False
    if kind is Kind.SINGLE:
        return _single(str(found)) == value
    if kind is Kind.FLOAT:
        return _equal(float(found), value)
    # The shortest digits of a double are those it was written with, if there were 15 at most.
    return Decimal(repr(found) if isinstance(found, float) else found) == value


def _same_serial(kind: Kind, value: Any, found: Serial) -> bool:
    span = dt.timedelta(days=found.days)
    # One of the two doubles around it.
    near = dt.timedelta(days=1.5 * math.ulp(found.days)) + _MICROSECOND
    return abs(span - _serial(kind, value)) <= near


def _serial(kind: Kind, value: Any) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        return value
    if isinstance(value, dt.time):
        return _since_midnight(value)
    return _on_the_clock(kind, value) - _EXCEL_EPOCH


def _on_the_clock(kind: Kind, value: Any) -> dt.datetime:
    """What a clock in the export's zone shows."""
    if kind is Kind.INSTANT and isinstance(value, dt.datetime):
        return value.astimezone(ZONE).replace(tzinfo=None)
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value, dt.time.min)


def _same_moment(kind: Kind, value: Any, found: dt.datetime) -> bool:
    if kind is Kind.INSTANT and found.tzinfo is not None:
        return found == value
    if kind in {Kind.TIME, Kind.INTERVAL}:
        # ExcelJS makes a date of durations, too.
        return _same_span(kind, value, found - _EXCEL_EPOCH)
    return kind in _DATES and abs(found - _on_the_clock(kind, value)) <= _HALF_SHOWN


def _same_date(kind: Kind, value: Any, found: dt.date) -> bool:
    # calamine leaves out a time of 00:00.
    return kind in _DATES and _on_the_clock(kind, found) == _on_the_clock(kind, value)


def _same_time(kind: Kind, value: Any, found: dt.time) -> bool:
    return _same_span(kind, value, _since_midnight(found))


def _same_span(_: Kind, value: Any, found: dt.timedelta) -> bool:
    wanted = _since_midnight(value) if isinstance(value, dt.time) else value
    return isinstance(wanted, dt.timedelta) and abs(found - wanted) <= _HALF_SHOWN


def _since_midnight(clock: dt.time) -> dt.timedelta:
    return dt.datetime.combine(_UNIX_EPOCH, clock) - _UNIX_EPOCH


def _same_document(kind: Kind, value: Any, found: Any) -> bool:
    return kind is Kind.JSON and _plain(found) == _plain(value)


_SAME: tuple[tuple[Any, Callable[[Kind, Any, Any], bool]], ...] = (
    (bool, lambda kind, value, found: kind is Kind.BOOLEAN and value is found),
    ((int, float, Decimal), _same_number),
    (bytes, lambda kind, value, found: kind is Kind.BYTES and value == found),
    (Serial, _same_serial),
    (dt.datetime, _same_moment),
    (dt.date, _same_date),
    (dt.time, _same_time),
    (dt.timedelta, _same_span),
    ((list, Document), _same_document),
)


def find_loosely(kind: Kind, printed: str | None, found: Any) -> Found:
    """The same for readers that make doubles of all numbers, and milliseconds of moments."""
    if printed is None or found is None:
        return Found.TYPED if found is None and printed in {None, "null"} else Found.WRONG
    value = _parsed(kind, printed)
    if kind is Kind.JSON:
        wanted = value.text if isinstance(value, Odd) else json.loads(printed)
        return Found.TYPED if _doubles(wanted) == _doubles(found) else Found.WRONG
    if kind in _NUMBERS and not isinstance(value, Odd):
        number = _single(str(found)) if kind is Kind.SINGLE else float(found)
        near = math.isclose(number, float(value), rel_tol=1e-14) or _equal(number, float(value))
        return Found.TYPED if near else Found.WRONG
    if kind is Kind.TIME and not isinstance(found, str | dt.datetime):
        found = dt.timedelta(microseconds=int(found))
    if kind is Kind.TIME and isinstance(found, str) and found.isdecimal():
        found = dt.timedelta(microseconds=int(found))
    if isinstance(found, dt.datetime) and kind in _DATES and not isinstance(value, Odd):
        wanted = value.astimezone(dt.UTC).replace(tzinfo=None) if kind is Kind.INSTANT else value
        near = abs(found - _on_the_clock(Kind.TIMESTAMP, wanted)) < dt.timedelta(milliseconds=1)
        return Found.TYPED if near else Found.WRONG
    return find(kind, printed, found)


def _doubles(value: Any) -> Any:
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    try:
        return value if value is None or isinstance(value, bool) else float(value)
    except ValueError:
        return value


def is_of(kind: Kind, printed: str) -> bool:
    """Whether the client's text is a value of `kind`."""
    return not isinstance(_parsed(kind, printed), Odd)


def is_shown(kind: Kind, printed: str, shown: str) -> bool:
    """Whether what a person sees of a number, a date or a time is all of the value.

    Excel and LibreOffice show a second's fraction to the millisecond.
    """
    value = _parsed(kind, printed)
    if isinstance(value, Odd):
        return shown == value.text
    if kind in {Kind.INTEGER, Kind.DECIMAL}:
        return Decimal(shown) == value
    if kind in _DATES:
        # It is off by one in the last digit, now and then.
        shown_clock = dt.datetime.fromisoformat(shown)
        return abs(shown_clock - _on_the_clock(kind, value)) <= 3 * _HALF_SHOWN
    if kind in {Kind.TIME, Kind.INTERVAL} and not isinstance(value, Calendar):
        return abs(_parsed(Kind.INTERVAL, shown) - _serial(kind, value)) <= 3 * _HALF_SHOWN
    return True
