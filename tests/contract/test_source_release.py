"""What every source promises about ending: streaming, cancelling, and leaving nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.support.eventually import eventually
from tests.support.source_databases import (
    DIGITS,
    KINDS,
    NUMBERS,
    NUMBERS_ROWS,
    ORDERS,
    SERVER_KINDS,
    UNCOUNTED,
    SourceDatabase,
    source_database,
)
from waybill.infra.sources.errors import ReadCancelled, SourceUnavailable

_OTHER = NUMBERS.alias()

#: 1.6 × 10^9 comparisons before its only row: minutes on any database.
SLOW = sa.select(sa.func.count()).select_from(
    NUMBERS.join(_OTHER, NUMBERS.c.note + "x" == _OTHER.c.note + sa.cast(NUMBERS.c.n, sa.String(9)))
)

#: 320,000 rows, not ordered, so that no database has a reason to finish before it begins.
MANY = sa.select(NUMBERS, DIGITS.c.d).join(DIGITS, DIGITS.c.d < 8)


@pytest.fixture(scope="module", params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path_factory.mktemp("source")) as database:
        yield database


@pytest.mark.slow
@pytest.mark.parametrize("database", [KINDS[0], KINDS[3]], indirect=True, scope="module")
def test_the_first_of_300_000_rows_does_not_wait_for_the_last(database):
    with database.source.open(MANY) as stream:
        assert stream.rows_expected == 8 * NUMBERS_ROWS
        began = time.monotonic()
        batches = iter(stream)
        next(batches)
        first = time.monotonic() - began
        for _ in batches:
            pass
        whole = time.monotonic() - began

    assert first < whole / 2


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True, scope="module")
def test_the_first_batch_is_there_while_the_server_still_has_rows_to_send(database):
    with database.source.open(MANY) as stream:
        assert stream.rows_expected == 8 * NUMBERS_ROWS
        batches = iter(stream)
        next(batches)
        database.execute(sa.text(database.cut_others))
        with pytest.raises(SourceUnavailable):
            list(batches)


@pytest.mark.parametrize("count", [True, False])
def test_cancel_from_another_thread_ends_a_statement_that_has_no_row_yet(database, count):
    began = time.monotonic()
    with database.source.open(SLOW, count=count) as stream:
        timer = threading.Timer(0.3, stream.cancel)
        timer.start()
        with pytest.raises(ReadCancelled):
            list(stream)
        timer.join()

    assert 0.3 <= time.monotonic() - began < 10


def test_cancel_ends_a_read_between_two_batches(database):
    with database.source.open(MANY) as stream:
        batches = iter(stream)
        next(batches)
        canceller = threading.Thread(target=stream.cancel)
        canceller.start()
        canceller.join()
        with pytest.raises(ReadCancelled):
            list(batches)


def test_cancel_works_before_the_first_row_and_after_the_last_and_twice(database):
    with database.source.open(sa.select(ORDERS)) as stream:
        stream.cancel()
        stream.cancel()
        with pytest.raises(ReadCancelled):
            list(stream)
    with database.source.open(sa.select(ORDERS)) as stream:
        list(stream)
        stream.cancel()
    stream.cancel()


@pytest.mark.slow
async def test_leaving_early_ends_the_statement_and_the_connection(database):
    with database.source.open(MANY) as stream:
        next(iter(stream))

    await eventually(database.is_released)


async def test_leaving_without_a_look_at_the_rows_ends_the_connection(database):
    with database.source.open(SLOW):
        pass

    await eventually(database.is_released)


@pytest.mark.slow
async def test_an_error_of_the_reader_ends_the_connection_and_stays_the_error(database):
    def fail_at_the_first_batch() -> None:
        with database.source.open(MANY) as stream:
            for _ in stream:
                raise ZeroDivisionError("of the consumer")

    with pytest.raises(ZeroDivisionError, match="of the consumer"):
        fail_at_the_first_batch()

    await eventually(database.is_released)


async def test_a_cancelled_read_ends_the_connection(database):
    with database.source.open(SLOW) as stream:
        stream.cancel()
    await eventually(database.is_released)


async def test_a_complete_read_ends_the_connection(database):
    with database.source.open(sa.select(DIGITS)) as stream:
        assert sum(batch.num_rows for batch in stream) == 10
        assert not database.is_released() or database.kind in UNCOUNTED

    await eventually(database.is_released)
