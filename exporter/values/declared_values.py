"""Declared values: which texts of a marked string column are of the declared kind.

The others are exceptions (``infinity`` among dates, ``n/a`` among integers): text formats carry
them as text, count them, and write every other value as in a column of the type itself.
"""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from waybill.exporter.values.declared_kinds import DeclaredKind
from waybill.exporter.values.value_texts import value_texts

#: RFC 8259 §6. A whole number with a fraction is one among integers too: JSON and CSV have but
#: one kind of number. With leading zeros it is a code, not a number.
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_OFFSET = r"(?:Z|[-+][0-9]{2}(?::?[0-9]{2})?)"
#: Hours of any number.
_HOURS = r"[0-9]+:[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_UNIT = r"[-+]?[0-9]+ (?:year|mon|day)s?"

_PATTERNS = {
    DeclaredKind.INTEGER: _NUMBER,
    DeclaredKind.DECIMAL: _NUMBER,
    DeclaredKind.FLOAT: _NUMBER,
    DeclaredKind.BOOLEAN: r"^(?:true|false)$",
    DeclaredKind.DATE: rf"^{_DATE}$",
    DeclaredKind.TIME: rf"^{_TIME}$",
    DeclaredKind.TIMESTAMP: rf"^{_DATE}[T ]{_TIME}$",
    DeclaredKind.INSTANT: rf"^{_DATE}[T ]{_TIME}{_OFFSET}$",
    DeclaredKind.INTERVAL: rf"^(?:-?{_HOURS}|{_UNIT}(?: {_UNIT})*(?: [-+]?{_HOURS})?"
    r"|P[-0-9.YMWDTHS]*[YMWDHS])$",
}

#: Kinds that begin with a day, which a calendar has to have: 2024-02-31 is none, nor is 0000-00-00.
_WITH_DAY = (DeclaredKind.DATE, DeclaredKind.TIMESTAMP, DeclaredKind.INSTANT)
_DAY_LENGTH = len("2024-07-01")

#: Numbers that no reader of JSON takes for one.
_NOT_FINITE = r"^(?:NaN|-?Infinity)$"

_ISO = "%Y-%m-%dT%H:%M:%S%.f"


def is_declared(text: pl.Expr, kind: DeclaredKind) -> pl.Expr:
    """Whether each text is a value of `kind`, which is not JSON; null where it is null."""
    fits = text.str.contains(_PATTERNS[kind])
    if kind not in _WITH_DAY:
        return fits
    day = text.str.head(_DAY_LENGTH).str.to_date("%Y-%m-%d", strict=False)
    # Polars has a year 0.
    return fits & (text.is_null() | (day.dt.year() > 0).fill_null(False))


def is_not_finite(text: pl.Expr) -> pl.Expr:
    """Whether each text is one of NaN, Infinity and -Infinity."""
    return text.str.contains(_NOT_FINITE)


def as_typed(texts: pl.Series, kind: DeclaredKind, zone: ZoneInfo) -> pl.Series:
    """`texts` with the values of `kind` spelled as `value_texts` spells those of a typed column.

    A date or time is ISO 8601, and an instant is shown in `zone`: no value changes its spelling
    because another one in its column is an exception.
    """
    match kind:
        case DeclaredKind.TIME:
            moments = texts.str.to_time("%H:%M:%S%.f", strict=False)
        case DeclaredKind.TIMESTAMP:
            moments = texts.str.replace(" ", "T", literal=True).str.to_datetime(
                _ISO, time_unit="us", strict=False
            )
        case DeclaredKind.INSTANT:
            # The parser wants the minutes of an offset, and no letter for it.
            full = texts.str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
            full = full.str.replace(r"([-+][0-9]{2})$", "${1}:00")
            moments = full.str.to_datetime(
                _ISO + "%:z", time_unit="us", time_zone="UTC", strict=False
            )
        case _:
            return texts
    spelled = value_texts(pl.DataFrame({"0": moments}), zone)["0"]
    pair = pl.DataFrame({"text": texts, "typed": spelled})
    # A date that no calendar has fits the pattern and is not parsed.
    typed = pl.when(is_declared(pl.col("text"), kind)).then(pl.col("typed"))
    return pair.select(pl.coalesce(typed, pl.col("text"))).to_series()


def invalid_json(texts: pl.Series) -> pl.Series:
    """Whether each text is no JSON (RFC 8259); null is JSON enough.

    Databases check what they store as JSON, but for SQLite, where the type is just a name.
    """
    # The fast parser also refuses what only its own limits forbid: numbers beyond a double,
    # half of a surrogate pair, deep nesting. And it says nothing of JSON's null.
    refused = texts.str.json_path_match("$").is_null() & texts.is_not_null()
    if not refused.any():
        return refused
    places = refused.arg_true()
    wrong = [not _is_json(text) for text in texts.gather(places).to_list()]
    return refused.scatter(places, wrong)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is JavaScript, not JSON")
