"""The times of schedules: cron through both changes of the clocks, and words for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.api.schedules.words import cron_of, words_of
from waybill.exporter.errors import InvalidRequest
from waybill.infra.schedules.cron import parse_cron

SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)

#: Rule, start, and the next slots in UTC. In Berlin clocks go from 02:00 to 03:00 on 29 March
#: (01:00 UTC), and from 03:00 back to 02:00 on 25 October (01:00 UTC).
BERLIN = [
    ("30 2 * * *", SPRING, ["2026-03-29T01:00", "2026-03-30T00:30"]),
    ("0 2 * * *", SPRING, ["2026-03-29T01:00", "2026-03-30T00:00"]),
    ("30 2,3 * * *", SPRING, ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:30"]),
    ("0 8 * * *", SPRING, ["2026-03-29T06:00", "2026-03-30T06:00"]),
    ("30 2 * * *", AUTUMN, ["2026-10-25T00:30", "2026-10-26T01:30"]),
    ("0 3 * * *", AUTUMN, ["2026-10-25T02:00", "2026-10-26T02:00"]),
    ("0 8 * * *", AUTUMN, ["2026-10-25T07:00", "2026-10-26T07:00"]),
]


@pytest.mark.parametrize(("cron", "start", "slots"), BERLIN)
def test_a_fixed_time_runs_once_on_each_day(cron: str, start: datetime, slots: list[str]) -> None:
    found = parse_cron(cron, "Europe/Berlin").next_times(start, len(slots))

    assert [f"{slot.at:%Y-%m-%dT%H:%M}" for slot in found] == slots


def test_every_hour_goes_by_elapsed_time() -> None:
    rule = parse_cron("0 * * * *", "Europe/Berlin")
    for start in (SPRING, AUTUMN):
        found = [slot.at for slot in rule.next_times(start, 24)]
        assert found == [start + timedelta(hours=hours) for hours in range(1, 25)]


def test_what_the_clocks_do_to_a_slot_is_said() -> None:
    rule = parse_cron("30 2 * * *", "Europe/Berlin")

    spring, autumn = rule.next_times(SPRING, 2), rule.next_times(AUTUMN, 2)

    assert [(slot.moved, slot.repeated) for slot in spring] == [(True, False), (False, False)]
    assert [(slot.moved, slot.repeated) for slot in autumn] == [(False, True), (False, False)]


@pytest.mark.parametrize("minute", range(0, 180, 10))
def test_in_a_repeated_hour_no_slot_lies_in_the_past(minute: int) -> None:
    rule = parse_cron("30 2 * * *", "Europe/Berlin")
    now = datetime(2026, 10, 25, 0, 0, tzinfo=UTC) + timedelta(minutes=minute)

    assert rule.after(now) > now
    today = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert rule.newest(now) == (today if now >= today else today - timedelta(days=1))


@given(
    st.sampled_from(["30 2 * * *", "0 * * * *", "15 1,2,3 * * 0", "*/30 2 * * *", "0 8 1 * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_newest_slot_is_the_one_before_the_next(cron: str, zone: str, now: datetime) -> None:
    rule = parse_cron(cron, zone)

    newest = rule.newest(now)

    assert newest <= now < rule.after(now)
    assert rule.after(newest) == rule.after(now)


@pytest.mark.parametrize(
    "cron",
    ["", "* * *", "60 * * * *", "0 0 30 2 *", "0 0 0 0 0 0", "@daily", "a b c d e", "0 8 " * 99],
)
def test_a_wrong_rule_is_refused_with_its_field(cron: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_cron(cron, "UTC")
    assert refused.value.field == "cron"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe"])
def test_an_unknown_zone_is_refused_with_its_field(zone: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_cron("0 8 * * *", zone)
    assert refused.value.field == "timezone"


#: Rule, and its words in both languages.
WORDS = [
    ("0 8 * * 1", "Every Monday at 08:00", "每周一 08:00"),
    ("30 17 * * 1,4", "Every Monday and Thursday at 17:30", "每周一、周四 17:30"),
    ("0 8 * * 1-5", "Every weekday at 08:00", "每个工作日 08:00"),
    ("5 6 * * *", "Every day at 06:05", "每天 06:05"),
    ("5 * * * *", "Every hour at :05", "每小时的 05 分"),
    ("*/15 * * * *", "Every 15 minutes", "每 15 分钟"),
    ("0 6 1 * *", "On day 1 of every month at 06:00", "每月 1 日 06:00"),
    ("0 6 L * *", "On the last day of every month at 06:00", "每月最后一天 06:00"),
    ("0 6 1 3 *", "Every year on 1 March at 06:00", "每年 3 月 1 日 06:00"),
]


@pytest.mark.parametrize(("cron", "english", "chinese"), WORDS)
def test_words_say_a_rule_and_are_read_back(cron: str, english: str, chinese: str) -> None:
    assert (words_of(cron, "en"), words_of(cron, "zh")) == (english, chinese)
    assert (cron_of(english), cron_of(chinese)) == (cron, cron)


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("every Monday 08:00", "0 8 * * 1"),
        ("on Mondays and Fridays at 9:30.", "30 9 * * 1,5"),
        ("daily 8:00", "0 8 * * *"),
        ("每星期一、四8：00", "0 8 * * 1,4"),
        ("每个月1号 8:00", "0 8 1 * *"),
        ("whenever you like", "whenever you like"),
    ],
)
def test_words_may_be_written_in_other_ways(text: str, cron: str) -> None:
    assert cron_of(text) == cron


@pytest.mark.parametrize("cron", ["0 8 * * 1#1", "0 8 1 * 1", "*/7 8 * * *", "0 8-17 * * *"])
def test_an_irregular_rule_has_no_words(cron: str) -> None:
    assert words_of(cron, "en") == words_of(cron, "zh") == ""
