"""What every source promises about counting rows before they are read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.eventually import eventually
from tests.support.source_databases import (
    DIGITS,
    HOSTILE,
    KINDS,
    NUMBERS,
    NUMBERS_ROWS,
    ORDERS,
    SourceDatabase,
    source_database,
)
from waybill.exporter.ports import RowCount
from waybill.infra.estimates.timed_count import TimedCounter
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import text_query

LONG = timedelta(seconds=30)
BRIEF = timedelta(seconds=0.3)
#: Far above what a plan or a refused connection takes, on a busy machine too.
AMPLE = timedelta(seconds=4)

#: A billion rows, which no index counts.
_FIRST, *_OTHERS = (DIGITS.alias() for _ in range(9))
HUGE = sa.select(_FIRST.c.d).where(*(_FIRST.c.d <= other.c.d + 9 for other in _OTHERS))


@pytest.fixture(scope="module", params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path_factory.mktemp("source")) as database:
        yield database


def test_a_small_table_is_counted_exactly(database):
    count = database.source.count(sa.select(NUMBERS), within=LONG)

    assert count.counted == NUMBERS_ROWS


def test_a_filter_is_counted_with_its_value(database):
    query = sa.select(NUMBERS.c.n).where(NUMBERS.c.n.between(10, 19)).order_by(NUMBERS.c.amount)

    assert database.source.count(query, within=LONG).counted == 10


def test_a_limit_is_part_of_the_query(database):
    query = sa.select(NUMBERS).order_by(NUMBERS.c.n).limit(7)

    assert database.source.count(query, within=LONG).counted == 7


def test_a_query_of_an_operator_is_counted(database):
    query = text_query("SELECT n AS a, note AS b FROM numbers WHERE n < 5 -- the first")

    assert database.source.count(query, within=LONG).counted == 5


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_parameter_of_a_count_is_only_a_value(database, value):
    database.execute(ORDERS.insert().values(id=1, name=value))
    try:
        query = sa.select(ORDERS.c.id).where(ORDERS.c.name == value)
        assert database.source.count(query, within=LONG).counted == 1
    finally:
        database.execute(ORDERS.delete())


def test_the_planner_answers_where_a_count_is_dear(database):
    started = time.monotonic()

    has_planner = database.kind == "postgres-adbc"
    count = database.source.count(HUGE, within=AMPLE if has_planner else BRIEF)

    assert time.monotonic() - started < 5
    assert count.counted is None
    if has_planner:
        assert count.estimated > 100_000
    else:
        assert count == RowCount()


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM no_such_table", "SELECT no_such_column FROM numbers", "SELECT FROM WHERE"],
)
def test_a_count_of_a_query_that_cannot_work_is_rejected(database, sql):
    with pytest.raises(SourceRejected) as refused:
        database.source.count(text_query(sql), within=LONG)

    assert "no_such" not in refused.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM numbers",
        "SELECT 1; COMMIT; DELETE FROM numbers",
        "SELECT 1) AS x; COMMIT; DELETE FROM numbers; --",
        "WITH gone AS (SELECT 1) DELETE FROM numbers",
    ],
)
def test_a_count_changes_nothing_whatever_the_query_says(database, sql):
    with pytest.raises(SourceRejected):
        # Not as `text_query`, which already refuses some of them.
        database.source.count(sa.text(sql), within=LONG)

    assert database.source.count(sa.select(NUMBERS), within=LONG).counted == NUMBERS_ROWS


async def test_nothing_is_left_of_a_count(database):
    database.source.count(sa.select(NUMBERS), within=LONG)
    database.source.count(HUGE, within=BRIEF)

    await eventually(database.is_released)


@pytest.mark.server
@pytest.mark.parametrize("scheme", ["postgresql", "mysql+pymysql"])
def test_a_source_that_is_away_says_so(scheme):
    nowhere = open_source(f"{scheme}://ann:pass@127.0.0.1:1/shop")

    with pytest.raises(SourceUnavailable):
        nowhere.count(sa.select(NUMBERS), within=AMPLE)


class Silent:
    """A database that takes the question and never answers."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def count(self, query, *, within):
        self.let_go.wait(30)
        return RowCount(1)


def test_a_silent_source_costs_the_asker_no_more_than_the_promised_time():
    silent = Silent()
    counter = TimedCounter(silent)
    try:
        started = time.monotonic()
        # More of them than there are threads.
        counts = [counter.count(HUGE, within=timedelta(seconds=0.02)) for _ in range(6)]
        assert time.monotonic() - started < 6 * 0.04 + 1
        assert counts == [RowCount()] * 6
    finally:
        silent.let_go.set()
