"""Relative dates: `last_month` as a value of a date parameter, worked out when an export runs.

In the parameters of a saved export, a date may be ``{"relative": "last_month", "edge": "first"}``.
`edge` is the ``first`` day of the period, the ``last`` one, or the ``next`` one after it. In a
field for a moment, ``first`` and ``next`` are the beginning of that day in the zone of the saved
export, and ``last`` is its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from waybill.exporter.errors import InvalidRequest

EDGES = ("first", "last", "next")
_DAY = timedelta(days=1)
_MONTHS = 12
_LAST_DAYS = re.compile(r"last_([1-9][0-9]{0,2})_days")
_Days = tuple[date, date]


def _month(first: date, count: int = 1) -> _Days:
    return first, _months_on(first, count) - _DAY


def _months_on(first: date, count: int) -> date:
    months = first.year * _MONTHS + first.month - 1 + count
    return date(months // _MONTHS, months % _MONTHS + 1, 1)


def _week(today: date, weeks: int) -> _Days:
    monday = today - today.weekday() * _DAY + weeks * 7 * _DAY
    return monday, monday + 6 * _DAY


def _quarter(today: date, quarters: int) -> _Days:
    first = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    return _month(_months_on(first, 3 * quarters), 3)


def _year(today: date, years: int) -> _Days:
    return date(today.year + years, 1, 1), date(today.year + years, 12, 31)


#: The first and the last day of each period, by its name. Weeks begin on Monday. (ISO 8601.)
PERIODS: Mapping[str, Callable[[date], _Days]] = {
    "today": lambda today: (today, today),
    "yesterday": lambda today: (today - _DAY, today - _DAY),
    "this_week": lambda today: _week(today, 0),
    "last_week": lambda today: _week(today, -1),
    "this_month": lambda today: _month(today.replace(day=1)),
    "last_month": lambda today: _month(_months_on(today.replace(day=1), -1)),
    "this_quarter": lambda today: _quarter(today, 0),
    "last_quarter": lambda today: _quarter(today, -1),
    "this_year": lambda today: _year(today, 0),
    "last_year": lambda today: _year(today, -1),
}


def period(name: str, today: date) -> _Days:
    """The first and the last day of the period `name`, seen from `today`.

    ``last_7_days`` are the seven days before `today`, and so for any number up to 999.

    Raises:
        InvalidRequest: there is no such period.
    """
    if match := _LAST_DAYS.fullmatch(name):
        return today - int(match[1]) * _DAY, today - _DAY
    if name not in PERIODS:
        raise InvalidRequest(f"Use one of {', '.join(PERIODS)} or last_7_days.")
    return PERIODS[name](today)


def resolved(
    params: Mapping[str, Any], schema: Mapping[str, Any], moment: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """`params` with each relative date replaced by the date that it means at `moment` in `zone`.

    `schema` is the JSON Schema of the parameters: only in fields of dates is anything replaced.

    Raises:
        InvalidRequest: naming the parameter whose relative date is wrong.
    """
    return {
        name: _resolved(name, value, _format_of(schema, name), moment.astimezone(zone))
        for name, value in params.items()
    }


def has_relative_dates(params: Mapping[str, Any]) -> bool:
    """Whether a value looks like a relative date."""
    return any(_looks_relative(value) for value in params.values())


def _looks_relative(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "relative" in value
        and value.keys()
        <= {
            "relative",
            "edge",
        }
    )


def _resolved(name: str, value: Any, kind: str | None, local: datetime) -> Any:
    if kind is None or not _looks_relative(value):
        return value
    edge = value.get("edge", "first")
    try:
        if edge not in EDGES:
            raise InvalidRequest(f"`edge` is one of {', '.join(EDGES)}.")
        first, last = period(str(value["relative"]), local.date())
        day = {"first": first, "last": last, "next": last + _DAY}[edge]
    except (InvalidRequest, OverflowError, ValueError) as error:
        message = error.message if isinstance(error, InvalidRequest) else "The date is too far."
        raise InvalidRequest(f"{name}: {message}", params={name: message}) from None
    if kind == "date":
        return day.isoformat()
    of_day = time.max if edge == "last" else time.min
    return datetime.combine(day, of_day, local.tzinfo).astimezone(UTC).isoformat()


def _format_of(schema: Mapping[str, Any], name: str) -> str | None:
    """``date`` or ``date-time``, if the parameter is one, or one or nothing."""
    definitions = schema.get("$defs", {})
    item = schema.get("properties", {}).get(name, {})
    for option in (item, *item.get("anyOf", ())):
        while "$ref" in option:
            option = definitions.get(str(option["$ref"]).rpartition("/")[2], {})
        if option.get("format") in ("date", "date-time"):
            return str(option["format"])
    return None
