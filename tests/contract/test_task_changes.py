"""Changes are told once, in full, and whoever made them: on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.task_store import ANN, BOB, LEASE, Worker, new_task, progress_of
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries import changes
from waybill.infra.tasks.queries.changes import OVERLAP, StateQuery, TaskChanges

MINE = {(ANN.tenant, ANN.user)}


@pytest.fixture
def store(engine):
    return TaskRequests(engine)


@pytest.fixture
def reader(engine):
    return TaskChanges(engine)


def told(look):
    return [(change.task_id, change.task and change.task.version) for change in look.changes]


def move(engine, task_id, age):
    """Make it look as if the task had been changed `age` ago, and its version have risen."""
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == task_id)
            .values(updated_at=datetime.now(UTC) - age, version=export_task.c.version + 1)
        )


def test_a_change_is_told_once_and_with_the_whole_task(engine, store, reader):
    first = reader.poll(None, MINE)
    task = store.submit(ANN, new_task()).task
    second = reader.poll(first, MINE)
    third = reader.poll(second, MINE)
    claim = Worker(engine, LEASE).claim(task.id, "w")
    Worker(engine, LEASE).heartbeat(claim, progress_of(5, 10))
    fourth = reader.poll(third, MINE)

    assert [change.task for change in second.changes] == [task]
    assert told(third) == []
    assert told(fourth) == [(task.id, 3)]
    assert fourth.changes[0].task.rows_done == 5


def test_only_watched_owners_are_read(engine, store, reader):
    first = reader.poll(None, MINE)
    store.submit(BOB, new_task())
    assert told(reader.poll(first, MINE)) == []
    assert [c.owner for c in reader.poll(first, {("acme", "bob")}).changes] == [("acme", "bob")]


def test_a_deletion_is_told_once_to_its_owner(engine, store, reader):
    task = store.submit(ANN, new_task()).task
    store.cancel(ANN, task.id)
    before = reader.poll(None, MINE)
    store.delete(ANN, task.id)
    look = reader.poll(before, MINE)

    assert told(look) == [(task.id, None)]
    assert told(reader.poll(look, MINE)) == []
    assert told(reader.poll(before, {("acme", "bob")})) == []


def test_a_change_that_was_committed_late_is_told(engine, store, reader):
    task = store.submit(ANN, new_task()).task
    look = reader.poll(reader.poll(None, MINE), MINE)
    # Its transaction took the time before the look, and was over after it.
    move(engine, task.id, OVERLAP - timedelta(seconds=1))
    assert told(reader.poll(look, MINE)) == [(task.id, 2)]


def test_a_clock_that_was_set_back_hides_nothing(engine, store, reader):
    task = store.submit(ANN, new_task()).task
    look = reader.poll(None, MINE)
    ahead = changes.Poll(look.position + timedelta(hours=1), seen=look.seen)
    move(engine, task.id, timedelta(seconds=1))
    assert told(reader.poll(ahead, MINE)) == [(task.id, 2)]


def test_all_of_mine_begins_with_live_and_newest_tasks(engine, store):
    reader = TaskChanges(engine, newest=2)
    tasks = [store.submit(ANN, new_task(asked_filename=str(n))).task for n in range(5)]
    store.submit(BOB, new_task())
    for task in tasks[1:4]:
        store.cancel(ANN, task.id)
    [state] = reader.poll(None, (), [StateQuery(ANN)]).states

    assert state.whole
    assert [change.task_id for change in state.changes] == [
        tasks[0].id, tasks[3].id, tasks[4].id
    ]  # fmt: skip


def test_after_a_short_absence_what_was_missed_is_enough(engine, store, reader):
    kept, ended, gone = (store.submit(ANN, new_task(asked_filename=n)).task for n in "abc")
    store.cancel(ANN, gone.id)
    for task in (kept, ended, gone):
        move(engine, task.id, timedelta(minutes=5))
    since = datetime.now(UTC) - timedelta(minutes=1)
    store.cancel(ANN, ended.id)
    store.delete(ANN, gone.id)
    new = store.submit(ANN, new_task(asked_filename="d")).task
    store.submit(BOB, new_task())
    [state] = reader.poll(None, (), [StateQuery(ANN, since=since)]).states

    assert not state.whole
    assert [(c.task_id, c.task and c.task.status) for c in state.changes] == [
        (ended.id, "CANCELLED"), (new.id, "PENDING"), (gone.id, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "since", [timedelta(minutes=-11), timedelta(minutes=1), timedelta(days=90_000)]
)
def test_a_position_of_long_ago_or_of_the_future_gets_the_whole_state(engine, store, reader, since):
    task = store.submit(ANN, new_task()).task
    wanted = StateQuery(ANN, since=datetime.now(UTC) + since)
    [state] = reader.poll(None, (), [wanted]).states
    assert (state.whole, [c.task_id for c in state.changes]) == (True, [task.id])


def test_a_reader_that_missed_too_much_gets_the_whole_state(engine, store):
    reader = TaskChanges(engine, most_missed=2)
    since = datetime.now(UTC) - timedelta(seconds=1)
    for n in range(3):
        store.submit(ANN, new_task(asked_filename=str(n)))
    [state] = reader.poll(None, (), [StateQuery(ANN, since=since)]).states
    assert state.whole


def test_one_task_is_shown_to_its_owner_only(engine, store, reader):
    task = store.submit(ANN, new_task()).task
    mine, other = reader.poll(None, (), [StateQuery(ANN, task.id), StateQuery(BOB, task.id)]).states
    assert [change.task for change in mine.changes] == [task]
    assert [change.task for change in other.changes] == [None]


def test_a_look_reads_changes_by_their_index(engine, store, reader):
    store.submit(ANN, new_task())
    explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    with read_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            # Empty tables are read faster without any index.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans = []

        @sa.event.listens_for(connection, "before_cursor_execute")
        def note(_connection, _cursor, statement, parameters, *_rest):
            if not statement.startswith("EXPLAIN"):
                plans.append((statement, parameters))

        changes._versions_since(connection, datetime.now(UTC))
        [(statement, parameters)] = plans
        plan = str(connection.exec_driver_sql(explain + statement, parameters).all())
    assert "ix_export_task_updated" in plan
