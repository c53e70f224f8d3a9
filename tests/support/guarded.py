"""Scenarios that only pass with a certain guard in the code.

A test of the guard runs one of them, and `tests/faults/test_mutations.py` runs it again without it.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.amqp_probe import bare_channel
from tests.support.eventually import eventually
from tests.support.servers.task_api import OPERATOR, TASKS, ask
from tests.support.servers.tcp_proxy import Direction
from tests.support.task_store import (
    ANN,
    LEASE,
    Worker,
    expire_lease,
    finished,
    new_task,
    progress_of,
    put_row_back,
    task_row,
)
from tests.support.wake_ups import Recorder, wake_ups
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.faults import Fault
from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.broker.port import Broker, BrokerUnavailable, WakeUp
from waybill.infra.broker.rabbitmq.topology import EARLIER
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import dead_letter, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler
from waybill.infra.tasks.model import Predicted
from waybill.infra.tasks.outbox import Outbox
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import Scope
from waybill.infra.worker.relay import Relay


async def publish(broker: Broker, message: WakeUp) -> bool:
    """Publish once, as the relay does; false when it was not confirmed."""
    try:
        await broker.publish(message, queue="orders", message_id=str(message.task_id))
    except BrokerUnavailable:
        return False
    return True


async def received_by(broker: Broker, count: int) -> list[WakeUp]:
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        return await received.until(count)


class SilentBroker(MemoryBroker):
    """Takes every message, and confirms none until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.confirms = False
        self.sent: list[str] = []

    async def publish(self, wake_up, *, queue, message_id, delay=timedelta(0)) -> None:
        self.sent.append(message_id)
        if not self.confirms:
            raise BrokerUnavailable


def published(engine) -> list[bool]:
    with read_transaction(engine) as connection:
        marks = connection.execute(sa.select(outbox.c.published_at)).scalars()
        return [mark is not None for mark in marks]


async def missing_confirm_is_an_error(broker, proxy):
    first, second = wake_ups(2)
    assert await publish(broker, first)
    proxy.blackhole(Direction.TO_CLIENT)
    with pytest.raises(BrokerUnavailable, match="did not answer in time"):
        await broker.publish(second, queue="orders", message_id="2")
    proxy.heal()
    assert await publish(broker, second)
    # The outcome was unknown: the broker had the message, and now has it twice.
    assert Counter(await received_by(broker, 3)) == {first: 1, second: 2}


async def unroutable_is_an_error(broker, rabbitmq_url):
    (message,) = wake_ups(1)
    async with bare_channel(rabbitmq_url) as channel:
        queue = await channel.get_queue(EARLIER.work_queue("orders"))
        await queue.unbind(EARLIER.task_exchange, "orders")
    with pytest.raises(BrokerUnavailable, match="no queue takes it"):
        await broker.publish(message, queue="orders", message_id="1")
    assert await publish(broker, message)
    assert await received_by(broker, 1) == [message]


async def only_confirms_mark(sqlite_engine):
    engine, broker = sqlite_engine, SilentBroker()
    relay = Relay(Outbox(engine), broker)
    TaskRequests(engine).submit(ANN, new_task())
    assert not await relay.publish_due()
    assert published(engine) == [False]
    broker.confirms = True
    assert not await relay.publish_due(), "it backs off first"
    await eventually(relay.publish_due, within_seconds=5)
    assert published(engine) == [True]
    # The same message, so that a consumer could tell copies apart.
    assert len(broker.sent) == 2
    assert len(set(broker.sent)) == 1


async def claim_waits_for_its_database(outage_lab, database_proxy, monkeypatch):
    lab, proxy = outage_lab, database_proxy
    lab.source.gate.set()
    async with lab.worker():
        # Delivered, and the claim fails: the relay has read the outbox just before the outage.
        claim, tries = FairScheduler.claim_next, []

        def claim_during_an_outage(*arguments, **options):
            if not tries:
                proxy.refuse()
            tries.append(arguments)
            if len(tries) == 3:
                proxy.heal()
            return claim(*arguments, **options)

        monkeypatch.setattr(FairScheduler, "claim_next", claim_during_an_outage)
        task_id = lab.submit()
        row = await lab.ended(task_id)
    assert (row["status"], row["attempt"]) == ("SUCCESS", 1)
    assert len(tries) >= 3
    with read_transaction(lab.engine) as connection:
        assert connection.execute(sa.select(dead_letter)).all() == []
    lab.audit()


def zombie_writes_nothing(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    zombie = runs.claim(task.id, "zombie")
    expire_lease(engine, task.id)
    assert Maintenance(engine).rescue_expired_leases(timedelta(0)) == 1
    heir = runs.claim(task.id, "heir")
    assert runs.heartbeat(zombie, progress_of(1, 1)) is Pulse.LOST
    assert not runs.finish(zombie, finished("stale"))
    assert runs.fail(zombie, code="x", message="y", retry_in=None) is None
    assert not runs.release(zombie)
    assert runs.finish(heir, finished("good"))
    assert store.get(ANN, task.id).object_key == "good"


def lost_claim_writes_nothing(engine):
    """A claim that a failover of the database lost, and another one with the same fence."""
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    known = task_row(engine, task.id)
    lost = runs.claim(task.id, "first")
    put_row_back(engine, known)
    held = runs.claim(task.id, "second")
    assert held.fence == lost.fence
    before = task_row(engine, task.id)
    assert runs.heartbeat(lost, progress_of(1, 1)) is Pulse.LOST
    runs.record_estimate(lost, Predicted(planned_rows=1, rows=1, size_bytes=1, seconds=1))
    assert not runs.reserve_object(lost, "lost")
    assert not runs.finish(lost, finished("lost"))
    assert runs.fail(lost, code="x", message="y", retry_in=None) is None
    now = timedelta(0)
    assert not runs.postpone(
        lost, waiting_for=Fault.STORAGE, code="x", message="y", delays=(now, now)
    )
    assert not runs.release(lost)
    assert task_row(engine, task.id) == before
    assert runs.heartbeat(held, progress_of(1, 1)) is Pulse.ALIVE
    assert runs.reserve_object(held, "held")
    assert runs.finish(held, finished("held"))
    assert store.get(ANN, task.id).object_key == "held"


def admin_sees_own_tenant_only(engine):
    """The scope of an admin keeps queries to the own tenant."""
    TaskRequests(engine).submit(ANN, new_task())
    queries, foreign = AdminQueries(engine), Scope("umbrella")
    assert queries.tasks(foreign) == []
    assert queries.audit(foreign) == []
    assert queries.queues(foreign) == []


def lost_role_sees_no_link(api):
    """The recorded link of a task is shown with the rights of today."""
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.finish(task)
    body = api.person(tenant, roles=()).get(f"{TASKS}/{task['id']}").json()
    assert (body["status"], body["download_url"]) == ("SUCCESS", None)


def foreign_tenants_operate_nothing(api):
    """The operator role counts in tokens of the named tenants only."""
    assert api.person(roles=(OPERATOR,)).get("/api/admin/queues").status_code == 403


def ended_session_is_over(api):
    """A copy of a cookie is of no use after its owner has logged out."""
    token = api.token("acme")
    browser = api.client(cookies={SESSION_COOKIE: token})
    assert browser.get(TASKS).status_code == 200
    browser.post("/session/end", headers={"Origin": api.url})
    assert api.client(token).get(TASKS).status_code == 401
