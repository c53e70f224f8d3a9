"""When a worker stops claiming, and when it goes on: by what its probes say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.faults import Fault
from waybill.infra.broker.port import TryLater
from waybill.infra.sources.errors import SourceAway, SourceRejected
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.worker.failures import classify_error
from waybill.infra.worker.outages import ClockWrong, Outages
from waybill.infra.worker.probes import probe_store
from waybill.storage.errors import ClockRejected, StorageUnavailable, UploadConflict
from waybill.storage.memory import MemoryStore

AWAY = classify_error(StorageUnavailable())
STOPPED = "claims stopped"


class Part:
    """A part of the installation: it fails with `error`, while there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.probed = 0

    def __call__(self) -> None:
        self.probed += 1
        if self.error is not None:
            raise self.error


class TasksOfAnotherTime(TaskOutages):
    """The task database's clock is 20 minutes behind this machine's."""

    def clock_ahead(self) -> timedelta:
        return super().clock_ahead() + timedelta(minutes=20)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[object]:
    with sqlite_tables(tmp_path) as engine:
        yield engine


@pytest.fixture
def store() -> Part:
    return Part()


@pytest.fixture
def outages(engine, store) -> Outages:
    return Outages(
        {Fault.STORAGE: store}, TaskOutages(engine), ["orders"], "me", pauses=(0.01, 0.02)
    )


async def over(outages: Outages) -> bool:
    """Whether claims go on at once."""
    waiting = asyncio.create_task(outages.wait_until_over(asyncio.Event()))
    await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    return done


async def test_a_part_that_works_again_stops_nothing(outages, store, caplog):
    await outages.report(AWAY)
    assert store.probed == 1
    assert await over(outages)
    assert STOPPED not in caplog.text


async def test_while_a_part_is_away_claims_wait_and_one_line_says_so(
    outages, store, engine, caplog
):
    task = TaskRequests(engine).submit(ANN, new_task()).task
    requests = TaskRequests(engine)
    store.error = StorageUnavailable()
    with caplog.at_level(logging.WARNING):
        await asyncio.gather(*(outages.report(AWAY) for _ in range(4)))
        assert not await over(outages)
        assert requests.get(ANN, task.id).waiting_for == "storage"

        waiting = asyncio.create_task(outages.wait_until_over(asyncio.Event()))
        probed = store.probed
        await eventually(lambda: store.probed > probed + 2)
        assert not waiting.done()
        store.error = None
        await waiting
    assert [record.message for record in caplog.records if "claims" in record.message] == [
        "claims stopped: a part of the installation is away",
        "claims go on",
    ]
    assert requests.get(ANN, task.id).waiting_for is None
    assert await over(outages)


async def test_a_worker_that_leaves_waits_for_nothing(outages, store):
    store.error = StorageUnavailable()
    await outages.report(AWAY)
    leave = asyncio.Event()
    leave.set()
    with pytest.raises(TryLater):
        await outages.wait_until_over(leave)


@pytest.mark.parametrize(
    "error", [UploadConflict(), SourceRejected(), MemoryError()], ids=lambda e: type(e).__name__
)
async def test_faults_of_tasks_and_unknown_ones_are_not_probed(outages, store, error):
    store.error = StorageUnavailable()
    await outages.report(classify_error(error))
    assert store.probed == 0
    assert await over(outages)


async def test_a_probe_that_fails_for_another_reason_finds_nothing_away(outages, store):
    store.error = SourceAway()
    await outages.report(AWAY)
    assert await over(outages)


async def test_a_store_whose_own_clock_is_wrong_is_waited_for(outages, store):
    store.error = ClockRejected()
    await outages.report(classify_error(store.error))
    assert not await over(outages)


async def test_a_worker_whose_own_clock_is_wrong_is_ill(engine, store):
    outages = Outages({Fault.STORAGE: store}, TasksOfAnotherTime(engine), ["orders"], "me")
    with pytest.raises(ClockWrong, match="20 min ahead of the task database's"):
        await outages.report(classify_error(ClockRejected()))
    # Other refusals say nothing about clocks.
    await outages.report(AWAY)


def test_the_probe_of_a_store_leaves_nothing_there():
    store = MemoryStore()
    probe_store(store, "0123456789ab")
    assert store.stored_keys() == []
    assert list(store.list_uploads()) == []
