"""The guards are what the tests test: with a guard taken out, a named test turns red.

Each case takes one guard out of the running code, and runs a test that passes with it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import aio_pika
import pytest

from tests.contract import conftest
from tests.contract.test_task_store import (
    test_f22_a_worker_that_lost_its_lease_can_write_nothing as zombie_writes_nothing,
)
from tests.faults import test_broker_publishing, test_database_outages, test_relay
from tests.support import fault_lab as lab
from tests.support.eventually import eventually
from waybill.infra.broker.rabbitmq import publisher
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle import runs
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.worker.relay import Relay
from waybill.infra.worker.service import WorkerService

unroutable_is_an_error = test_broker_publishing.test_f6_an_unroutable_message_is_an_error
only_confirms_mark = (
    test_relay.test_g2_only_a_confirm_marks_a_wake_up_and_until_then_it_is_sent_again
)
silence_is_an_error = (
    test_broker_publishing.test_f5_a_confirm_that_never_comes_is_an_error_after_the_timeout
)
claims_wait = test_database_outages.test_f33_a_claim_waits_for_its_database_and_makes_no_dead_letter

engine = conftest.engine
broker, proxy = test_broker_publishing.broker, test_broker_publishing.proxy
outage_lab, database_proxy = test_database_outages.outage_lab, test_database_outages.database_proxy
sqlite_engine = test_relay.sqlite_engine

#: What a failing test raises: an assertion, or pytest's own "did not raise".
RED = (AssertionError, pytest.fail.Exception)


@pytest.fixture
def without_fence(monkeypatch):
    t = export_task.c
    monkeypatch.setattr(
        runs, "_held", lambda claim: (t.id == claim.task.id, t.status == TaskStatus.PROCESSING)
    )


def test_without_the_fence_a_zombie_writes(without_fence, engine):
    with pytest.raises(RED):
        zombie_writes_nothing(engine)


def open_channels_with(monkeypatch, **options: Any) -> None:
    """Open every channel with other options than the code asks for, and take any answer."""
    channel = aio_pika.Connection.channel
    monkeypatch.setattr(
        aio_pika.Connection, "channel", lambda self, **asked: channel(self, **(asked | options))
    )
    monkeypatch.setattr(publisher, "spec", SimpleNamespace(Basic=SimpleNamespace(Ack=object)))


@pytest.fixture
def without_confirms(monkeypatch):
    open_channels_with(monkeypatch, publisher_confirms=False, on_return_raises=False)


async def test_without_confirms_a_message_is_lost_unnoticed(without_confirms, broker, proxy):
    with pytest.raises(RED):
        await (
            test_broker_publishing.test_f5_a_confirm_that_never_comes_is_an_error_after_the_timeout(
                broker, proxy
            )
        )


@pytest.fixture
def without_returns(monkeypatch):
    open_channels_with(monkeypatch, on_return_raises=False)


async def test_without_on_return_raises_an_unroutable_message_is_lost_unnoticed(
    without_returns, broker, rabbitmq_url
):
    with pytest.raises(RED):
        await unroutable_is_an_error(broker, rabbitmq_url)


async def test_a_relay_that_marks_what_nobody_confirmed_is_noticed(sqlite_engine, monkeypatch):
    publish = Relay._publish

    async def hopeful(self, item):
        await publish(self, item)
        return True

    monkeypatch.setattr(Relay, "_publish", hopeful)
    with pytest.raises(RED):
        await only_confirms_mark(sqlite_engine)


async def test_a_claim_that_does_not_wait_for_its_database_is_noticed(
    outage_lab, database_proxy, monkeypatch
):
    async def impatient(self, queue, called=None):
        return await asyncio.to_thread(self._dependencies.runs.claim_next, queue, self._name)

    monkeypatch.setattr(WorkerService, "_claim_patiently", impatient)
    # The task is lost for long; no need to wait for all of it.
    monkeypatch.setattr(lab, "eventually", partial(eventually, within_seconds=4))
    with pytest.raises(RED):
        await claims_wait(outage_lab, database_proxy, monkeypatch)
