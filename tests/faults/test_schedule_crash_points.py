"""Schedulers that are killed: over both changes of the clocks, each slot runs once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.eventually import wait_for
from tests.support.schedules import Office
from tests.support.task_tables import DATABASES, task_tables

ROOT = Path(__file__).parents[2]
#: Where a scheduler dies. The other one, or its successor, does the rest.
POINTS = ("schedules.claimed", "schedules.before_commit", "schedules.after_commit")
#: Daily at 02:30 and hourly, in Berlin; the slots of the first in UTC.
CHANGES = {
    datetime(2026, 3, 28, 0, 45, tzinfo=UTC): ["03-28T01:30", "03-29T01:00", "03-30T00:30"],
    datetime(2026, 10, 23, 23, 45, tzinfo=UTC): ["10-24T00:30", "10-25T00:30", "10-26T01:30"],
}
_HOURS = 50


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with task_tables(request, tmp_path) as engine:
        yield engine


@contextmanager
def process(engine: Engine, point: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler in a process of its own, which dies at `point`."""
    url = engine.url.render_as_string(hide_password=False)
    environment = {**os.environ, "FAILPOINT": point, "PYTHONPATH": f"{ROOT}:{ROOT}/.src"}
    arguments = [sys.executable, "-m", "tests.support.schedules", url]
    running = subprocess.Popen(arguments, cwd=ROOT, env=environment)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.mark.slow
@pytest.mark.parametrize("start", CHANGES, ids=["spring", "autumn"])
def test_over_a_change_of_the_clocks_two_schedulers_and_a_kill_run_each_slot_once(
    engine: Engine, start: datetime
) -> None:
    office = Office(engine, start)
    daily, hourly = office.plan("30 2 * * *"), office.plan("0 * * * *")

    with process(engine) as other, process(engine, "schedules.before_commit") as doomed:
        pass_hours(office, start, range(_HOURS // 2))
        # Where the other one was always first, the next slot is this one's.
        other.kill()
        other.wait()
        office.turn(start + timedelta(hours=_HOURS // 2 + 1))
        assert doomed.wait(60) == -signal.SIGKILL
    # Restarted, with one that dies right after a commit.
    with process(engine), process(engine, "schedules.after_commit:3"):
        pass_hours(office, start, range(_HOURS // 2, _HOURS))

    found = [f"{run['slot']:%m-%dT%H:%M}" for run in office.recorded(daily)]
    assert found == CHANGES[start]
    first = start.replace(minute=0) + timedelta(hours=1)
    slots = [run["slot"] for run in office.recorded(hourly)]
    assert slots == [first + timedelta(hours=hours) for hours in range(_HOURS)]
    runs = [*office.recorded(daily), *office.recorded(hourly)]
    assert {run["outcome"] for run in runs} == {"submitted"}
    assert office.moments() == sorted(run["slot"].isoformat() for run in runs)


def pass_hours(office: Office, start: datetime, hours: range) -> None:
    """Turn the clock by an hour again and again; each time let the schedulers finish.

    It goes on a little meanwhile, so that the claim of a scheduler that has died ends.
    """

    def idle() -> bool:
        office.turn(office.now() + timedelta(seconds=2))
        return office.is_idle()

    for hour in hours:
        office.turn(start + timedelta(hours=hour + 1))
        wait_for(idle)
        office.end_tasks()


@pytest.mark.parametrize("point", POINTS)
def test_a_scheduler_that_dies_here_runs_no_slot_twice_and_loses_none(
    engine: Engine, point: str
) -> None:
    start = datetime(2026, 6, 1, 5, 0, tzinfo=UTC)
    office = Office(engine, start)
    schedule_id = office.plan("0 8 * * 1")
    slot = start + timedelta(hours=1)
    office.turn(slot)
    with process(engine, point) as doomed:
        assert doomed.wait(60) == -signal.SIGKILL

    office.turn(slot + timedelta(seconds=61))
    office.runs().run_due()

    assert [run["slot"] for run in office.recorded(schedule_id)] == [slot]
    assert office.moments() == [slot.isoformat()]
