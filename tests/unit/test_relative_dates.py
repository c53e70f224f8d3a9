"""Relative dates: what each period means, in which zone, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from waybill.exporter.errors import InvalidRequest
from waybill.infra.schedules.relative_dates import period, resolved


class Params(BaseModel):
    day: date
    perhaps: date | None = None
    moment: datetime | None = None
    note: dict[str, str] | None = None


SCHEMA = Params.model_json_schema()
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("today", "2026-03-01", "2026-03-01"),
        ("yesterday", "2026-02-28", "2026-02-28"),
        ("last_7_days", "2026-02-22", "2026-02-28"),
        ("last_1_days", "2026-02-28", "2026-02-28"),
        ("this_week", "2026-02-23", "2026-03-01"),
        ("last_week", "2026-02-16", "2026-02-22"),
        ("this_month", "2026-03-01", "2026-03-31"),
        ("last_month", "2026-02-01", "2026-02-28"),
        ("this_quarter", "2026-01-01", "2026-03-31"),
        ("last_quarter", "2025-10-01", "2025-12-31"),
        ("this_year", "2026-01-01", "2026-12-31"),
        ("last_year", "2025-01-01", "2025-12-31"),
    ],
)
def test_a_period_seen_from_a_sunday(name: str, first: str, last: str) -> None:
    days = period(name, date(2026, 3, 1))
    assert [day.isoformat() for day in days] == [first, last]


def test_a_day_begins_in_the_zone() -> None:
    # Half past midnight of 1 March in Berlin.
    moment = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    asked = {
        "day": {"relative": "yesterday"},
        "perhaps": {"relative": "last_month", "edge": "last"},
    }

    assert resolved(asked, SCHEMA, moment, BERLIN) == {"day": "2026-02-28", "perhaps": "2026-02-28"}
    assert resolved(asked, SCHEMA, moment, ZoneInfo("UTC")) == {
        "day": "2026-02-27",
        "perhaps": "2026-01-31",
    }


@pytest.mark.parametrize(
    ("edge", "moment"),
    [
        ("first", "2026-03-28T23:00:00+00:00"),
        ("last", "2026-03-29T21:59:59.999999+00:00"),
        ("next", "2026-03-29T22:00:00+00:00"),
    ],
)
def test_a_moment_is_an_edge_of_a_day_of_23_hours(edge: str, moment: str) -> None:
    now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    asked = {"moment": {"relative": "today", "edge": edge}}
    assert resolved(asked, SCHEMA, now, BERLIN) == {"moment": moment}


def test_everything_else_stays_as_it_is() -> None:
    asked = {"day": "2026-01-01", "note": {"relative": "today"}, "unknown": {"relative": "today"}}
    assert resolved(asked, SCHEMA, datetime.now(UTC), BERLIN) == asked


@pytest.mark.parametrize(
    "value",
    [
        {"relative": "tomorrowish"},
        {"relative": "last_0_days"},
        {"relative": "last_month", "edge": "middle"},
        {"relative": ["today"]},
    ],
)
def test_a_wrong_one_names_its_parameter(value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        resolved({"day": value}, SCHEMA, datetime.now(UTC), BERLIN)
    assert set(refused.value.params) == {"day"}
