"""F86: nothing grows for ever. Rows go when they are old, and take with them what is theirs."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.notification_rows import submitted, succeed
from tests.support.old_rows import LONG_AGO, add_old_rows
from tests.support.statements import recorded
from tests.support.task_store import ANN
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import (
    audit_log,
    dead_letter,
    export_task,
    notification,
    outbox,
    row_usage,
    share_link,
    storage_object,
    throttled_queue,
)
from waybill.infra.links.share_links import ShareLinks
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.memory import MemoryStore

_task = export_task.c


def age(engine: Engine, task: Task, **more: object) -> None:
    """Let the last change of a task lie 91 days back."""
    with write_transaction(engine) as connection:
        values = {"updated_at": LONG_AGO, **more}
        connection.execute(sa.update(export_task).where(_task.id == task.id).values(values))


def cancelled(engine: Engine) -> Task:
    task = submitted(engine)
    return TaskRequests(engine).cancel(ANN, task.id)


def on_record(engine: Engine, key: str, task_id: UUID, state: str = "OPEN") -> None:
    """Record a stored object."""
    with write_transaction(engine) as connection:
        connection.execute(
            sa.insert(storage_object).values(
                key=key, task_id=task_id, fence=1, state=state, created_at=LONG_AGO
            )
        )


def left(engine: Engine, table: sa.Table, task: UUID | None = None) -> int:
    """The number of rows of a table, of one task if there is one."""
    query = sa.select(sa.func.count()).select_from(table)
    if task is not None:
        query = query.where(table.c["id" if table is export_task else "task_id"] == task)
    with read_transaction(engine) as connection:
        return connection.execute(query).scalar_one()


def test_f86_an_old_task_goes_with_what_is_its_own_and_its_history_stays(engine: Engine) -> None:
    requests = TaskRequests(engine)
    old = submitted(engine, idempotency_key="once")
    succeed(engine, old)
    ShareLinks(engine).create(ANN, old.id)
    assert Maintenance(engine).mark_expired(old.id) is False
    age(engine, old, status=TaskStatus.EXPIRED)
    repeated = requests.retry(ANN, old.id, max_attempts=3).task
    with write_transaction(engine) as connection:
        # As the sweeper does once the store has deleted the file.
        connection.execute(sa.delete(storage_object).where(storage_object.c.task_id == old.id))

    assert Pruning(engine).prune_tasks() == 1

    for table in (export_task, share_link, outbox, notification):
        assert left(engine, table, old.id) == 0, table.name
    with read_transaction(engine) as connection:
        history = connection.execute(
            sa.select(audit_log.c.action, audit_log.c.actor_kind)
            .where(audit_log.c.task_id == old.id)
            .order_by(audit_log.c.id)
        ).all()
    assert [action for action, _ in history] == [
        *("submit", "claim", "finish", "share", "retry", "prune")
    ]
    assert history[-1].actor_kind == "system"
    assert requests.get(ANN, repeated.id).parent_id == old.id
    assert submitted(engine, idempotency_key="once").id != old.id


def test_f86_a_task_with_a_file_with_a_follower_or_in_its_time_stays(engine: Engine) -> None:
    tasks = {name: cancelled(engine) for name in ("new", "file", "upload", "leader", "live")}
    finished = submitted(engine)
    succeed(engine, finished)
    follower = submitted(engine)
    on_record(engine, "file", uuid4())
    on_record(engine, "upload", tasks["upload"].id)
    age(engine, tasks["file"], object_key="file")
    age(engine, tasks["upload"])
    age(engine, tasks["leader"])
    age(engine, follower, joined_id=tasks["leader"].id)
    age(engine, tasks["live"], status=TaskStatus.PENDING)
    age(engine, finished)

    assert Pruning(engine).prune_tasks() == 0

    assert left(engine, export_task) == 7


def test_f86_dead_letters_go_when_they_were_replayed_or_their_task_is_gone(engine: Engine) -> None:
    letters = DeadLetters(engine)
    bodies = [b"no task", b"replayed", b"open", b"new"]
    for body in bodies:
        assert letters.record(body, "orders", "reason")
    task = cancelled(engine)
    old: dict[bytes, dict[str, object]] = {
        b"no task": {},
        b"replayed": {"replayed_at": LONG_AGO, "task_id": task.id},
        b"open": {"task_id": task.id},
    }
    with write_transaction(engine) as connection:
        for body, values in old.items():
            which = dead_letter.c.body == body.decode()
            connection.execute(sa.update(dead_letter).where(which).values(at=LONG_AGO, **values))

    assert Pruning(engine).prune_dead_letters() == 2
    assert sorted(letter.body for letter in letters.list(ALL_TENANTS)) == ["new", "open"]

    age(engine, task)
    Pruning(engine).prune_tasks()
    Pruning(engine).prune_dead_letters()
    assert [letter.body for letter in letters.list(ALL_TENANTS)] == ["new"]


def sweeper(engine: Engine, store: MemoryStore, step_seconds: float = 0.0) -> Sweeper:
    """One that takes two of each kind at once; each look at its clock takes `step_seconds`."""
    ticks = count()
    return Sweeper(
        Maintenance(engine, batch=2),
        store,
        lease=timedelta(minutes=1),
        retry_in=timedelta(0),
        pruning=Pruning(engine, batch=2),
        clock=lambda: next(ticks) * step_seconds,
    )


def test_f86_one_scan_takes_all_batches(engine: Engine) -> None:
    store = MemoryStore()
    add_old_rows(engine, 7)
    tasks = [submitted(engine) for _ in range(7)]
    for task in tasks:
        succeed(engine, task)
        on_record(engine, f"key-{task.id}", task.id, "STORED")
        with store.open_upload(f"key-{task.id}", content_type="text/plain") as upload:
            upload.write(b"data")
        age(engine, task, expires_at=LONG_AGO)

    assert sweeper(engine, store).sweep() is False

    assert store.stored_keys() == []
    # Seven exports of today have their notices, and their rows count.
    tables = (throttled_queue, dead_letter, row_usage, notification, outbox)
    assert [left(engine, table) for table in tables] == [0, 0, 1, 7, 8]
    statuses = {TaskRequests(engine).get(ANN, task.id).status for task in tasks}
    assert statuses == {TaskStatus.EXPIRED}


def test_f86_a_batch_of_tasks_costs_no_more_statements_than_one(engine: Engine) -> None:
    counts = []
    for tasks in (1, 7):
        for _ in range(tasks):
            age(engine, cancelled(engine))
        with recorded(engine) as statements:
            assert Pruning(engine).prune_tasks() == tasks
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_f86_a_long_scan_begins_again_with_silent_workers(engine: Engine) -> None:
    add_old_rows(engine, 7)
    slow = sweeper(engine, MemoryStore(), step_seconds=60)

    assert [slow.sweep() for _ in range(5)] == [True, True, True, True, False]
    assert left(engine, row_usage) == 0


@pytest.mark.server
def test_f86_each_batch_is_found_by_an_index(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    upgrade(engine)
    add_old_rows(engine, 3)
    age(engine, cancelled(engine))
    with recorded(engine, selects=True) as statements:
        for step in Pruning(engine).steps():
            step()
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans = [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}", values).scalars())
            for text, values in statements
            if "LIMIT" in text
        ]
    engine.dispose()

    assert len(plans) >= 10
    assert [plan for plan in plans if "Seq Scan" in plan] == []
