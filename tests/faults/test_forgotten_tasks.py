"""Tasks whose message is lost, and tasks that only wait long: who is published again, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, new_task
from tests.support.task_tables import DATABASES, task_tables
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import export_task, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.outbox import Outbox

AFTER = timedelta(seconds=60)
HOUR = timedelta(hours=1)


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with task_tables(request, tmp_path) as engine:
        yield engine


def submit(engine, count: int) -> None:
    store = TaskRequests(engine)
    for number in range(count):
        store.submit(ANN, new_task(params={"n": number}))


def publish(engine) -> int:
    """What a relay does with everything there is, and a broker that loses it all."""
    box, count = Outbox(engine), 0
    while batch := box.take():
        box.mark_published(batch)
        count += len(batch)
    return count


def pass_time(engine, by: timedelta) -> None:
    """Make everything that has happened so far older."""
    with write_transaction(engine) as connection:
        for table, column in ((export_task, "updated_at"), (outbox, "available_at")):
            rows = connection.execute(sa.select(table.c.id, table.c[column])).all()
            for row_id, at in rows:
                change = sa.update(table).where(table.c.id == row_id)
                connection.execute(change.values({column: at - by}))
        # The kind of a reminder holds its second, which has not passed in truth.
        connection.execute(sa.update(outbox).values(kind=sa.cast(outbox.c.id, sa.Text)))


def test_a_whole_backlog_that_was_lost_is_published_again_in_a_few_scans(engine):
    submit(engine, 250)
    publish(engine)
    pass_time(engine, 2 * AFTER)
    maintenance = Maintenance(engine)
    assert [maintenance.republish_overdue(AFTER) for _ in range(3)] == [100, 100, 50]
    assert publish(engine) == 250
    with read_transaction(engine) as connection:
        reminded = connection.execute(
            sa.select(sa.func.count(sa.distinct(outbox.c.task_id))).where(
                outbox.c.kind.like("reminder-%")
            )
        ).scalar_one()
    assert reminded == 250


def test_a_task_that_waits_in_a_long_queue_is_woken_ever_more_rarely(engine):
    submit(engine, 1)
    publish(engine)
    maintenance, wake_ups = Maintenance(engine), []
    for minute in range(60):
        pass_time(engine, timedelta(seconds=61))
        if maintenance.republish_overdue(AFTER):
            wake_ups.append(minute)
            # In the same second, and by any other sweeper: nothing.
            assert maintenance.republish_overdue(AFTER) == 0
            publish(engine)
    assert len(wake_ups) < 16
    assert wake_ups[-1] - wake_ups[-2] >= 9


def test_a_wake_up_that_is_not_published_yet_is_not_doubled(engine):
    submit(engine, 1)
    pass_time(engine, HOUR)
    assert Maintenance(engine).republish_overdue(AFTER) == 0
    assert publish(engine) == 1
