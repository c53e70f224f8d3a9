"""The relay between a committed wake-up and a broker that does not confirm (G2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.eventually import eventually
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import outbox
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.outbox import Outbox
from waybill.infra.worker.relay import Relay


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


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path) as engine:
        yield engine


def published(engine) -> list[bool]:
    with read_transaction(engine) as connection:
        marks = connection.execute(sa.select(outbox.c.published_at)).scalars()
        return [mark is not None for mark in marks]


async def test_g2_only_a_confirm_marks_a_wake_up_and_until_then_it_is_sent_again(sqlite_engine):
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
