"""One suite for the task store on SQLite and PostgreSQL: both must be indistinguishable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from tests.support.guarded import zombie_writes_nothing
from tests.support.task_store import (
    ANN,
    BOB,
    LEASE,
    Worker,
    expire_lease,
    finished,
    new_task,
    progress_of,
)
from tests.support.task_tables import DATABASES, IN_A_HOSTS_FILE, IN_A_SCHEMA, task_tables
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.schema import qualified
from waybill.infra.db.tables import audit_log, export_task, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.model import IdempotencyMismatch, TaskConflict, TaskNotFound
from waybill.infra.tasks.outbox import Outbox
from waybill.infra.tasks.states import TaskStatus


@pytest.fixture(params=[*DATABASES, IN_A_SCHEMA, IN_A_HOSTS_FILE])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on empty task tables, also in a schema that no search path names."""
    with task_tables(request, tmp_path) as engine:
        yield engine


STRANGER = Principal("ann", "other-tenant")


def test_a_task_comes_with_its_audit_row_and_its_wake_up(engine):
    task = TaskRequests(engine).submit(ANN, new_task()).task
    with read_transaction(engine) as connection:
        actions = connection.execute(sa.select(audit_log.c.action, audit_log.c.actor)).all()
    (sent,) = Outbox(engine).take()
    assert task.status == TaskStatus.PENDING
    assert actions == [("submit", "ann")]
    assert (sent.wake_up.task_id, sent.wake_up.fence, sent.queue) == (task.id, 0, "orders")


def test_the_same_live_request_answers_with_the_same_task(engine):
    store = TaskRequests(engine)
    first, second = store.submit(ANN, new_task()), store.submit(ANN, new_task())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert first.task.id == second.task.id
    assert len(Outbox(engine).take()) == 1


@pytest.mark.parametrize(
    "change", [{"params": {"city": "Köln"}}, {"format": "csv"}, {"asked_filename": "x"}]
)
def test_another_request_is_another_task(engine, change):
    store = TaskRequests(engine)
    assert store.submit(ANN, new_task()).task.id != store.submit(ANN, new_task(**change)).task.id


def test_another_user_gets_a_task_of_their_own(engine):
    store = TaskRequests(engine)
    assert store.submit(ANN, new_task()).task.id != store.submit(BOB, new_task()).task.id


def test_after_the_end_the_same_request_is_a_new_task(engine):
    store = TaskRequests(engine)
    first = store.submit(ANN, new_task()).task
    store.cancel(ANN, first.id)
    assert not store.submit(ANN, new_task()).deduplicated


def test_r12_a_hundred_equal_requests_at_once_make_one_task(engine):
    store, answers, barrier = TaskRequests(engine), [], threading.Barrier(20)

    def ask() -> None:
        barrier.wait()
        answers.extend(store.submit(ANN, new_task()) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 100
    assert len({answer.task.id for answer in answers}) == 1
    assert sum(not answer.deduplicated for answer in answers) == 1


def test_r13_an_idempotency_key_answers_once_and_for_one_body(engine):
    store = TaskRequests(engine)
    first = store.submit(ANN, new_task(idempotency_key="k1")).task
    store.cancel(ANN, first.id)
    assert store.submit(ANN, new_task(idempotency_key="k1")).task.id == first.id
    with pytest.raises(IdempotencyMismatch):
        store.submit(ANN, new_task(idempotency_key="k1", format="csv"))
    assert store.submit(BOB, new_task(idempotency_key="k1", format="csv")).task.id != first.id


@pytest.mark.parametrize("who", [BOB, STRANGER])
def test_r1_a_task_of_somebody_else_is_not_there(engine, who):
    store = TaskRequests(engine)
    task = store.submit(ANN, new_task()).task
    for act in (store.get, store.cancel, store.delete):
        with pytest.raises(TaskNotFound):
            act(who, task.id)
    assert store.page(who).total == 0


def test_one_claim_wins_and_the_rest_get_nothing(engine):
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs, claims, barrier = Worker(engine, LEASE), [], threading.Barrier(8)

    def claim() -> None:
        barrier.wait()
        claims.append(runs.claim(task.id, "w"))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [claim for claim in claims if claim]
    assert (won.fence, won.task.attempt, won.task.status) == (1, 1, TaskStatus.PROCESSING)


def test_an_unknown_task_cannot_be_claimed(engine):
    assert Worker(engine, LEASE).claim(uuid4(), "w") is None


def test_a_heartbeat_renews_the_lease_and_shows_progress(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    claim = runs.claim(task.id, "w")
    expire_lease(engine, task.id)
    assert runs.heartbeat(claim, progress_of(7, 10)) is Pulse.ALIVE
    assert Maintenance(engine).rescue_expired_leases(timedelta(0)) == 0
    seen = store.get(ANN, task.id)
    assert (seen.rows_done, seen.rows_total) == (7, 10)


def test_success_is_recorded_with_its_object_once(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    claim = runs.claim(task.id, "w")
    runs.reserve_object(claim, "exports/a")
    assert runs.finish(claim, finished("exports/a"))
    assert not runs.finish(claim, finished("exports/a"))
    done = store.get(ANN, task.id)
    assert (done.status, done.object_key, done.rows_written) == (TaskStatus.SUCCESS, "exports/a", 5)
    assert Maintenance(engine).orphaned_objects() == []


def test_a_failed_attempt_waits_and_then_runs_again_until_attempts_are_used_up(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task(max_attempts=2)).task
    Outbox(engine).take()
    failed = {
        "code": "storage_unavailable",
        "message": "No answer.",
        "retry_in": timedelta(seconds=30),
    }
    first = runs.claim(task.id, "w")
    assert runs.fail(first, **failed) == TaskStatus.PENDING
    assert runs.claim(task.id, "w") is None, "not due yet"
    (retry,) = Outbox(engine).take()
    assert (retry.delay, retry.wake_up.kind) == (timedelta(seconds=30), "retry")
    make_due(engine, task.id)
    second = runs.claim(task.id, "w")
    assert (second.task.attempt, second.task.retry_count) == (2, 1)
    assert runs.fail(second, **failed) == TaskStatus.FAILED
    ended = store.get(ANN, task.id)
    assert (ended.error_code, ended.error_message) == ("storage_unavailable", "No answer.")
    assert runs.claim(task.id, "w") is None


def test_a_permanent_error_is_not_tried_again(engine):
    runs = Worker(engine, LEASE)
    claim = runs.claim(TaskRequests(engine).submit(ANN, new_task()).task.id, "w")
    assert runs.fail(claim, code="x", message="y", retry_in=None) == TaskStatus.FAILED


def test_g13_a_released_task_is_back_at_once_and_lost_no_attempt(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    claim = runs.claim(task.id, "w")
    assert runs.release(claim)
    assert not runs.release(claim)
    again = runs.claim(task.id, "other")
    assert (again.task.attempt, again.fence) == (1, claim.fence + 2)


def test_f22_a_worker_that_lost_its_lease_can_write_nothing(engine):
    zombie_writes_nothing(engine)


def test_f24_sweepers_that_race_rescue_each_task_once(engine):
    runs = Worker(engine, LEASE)
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs.claim(task.id, "w")
    expire_lease(engine, task.id)
    counts: list[int] = []
    sweepers = [
        threading.Thread(
            target=lambda: counts.append(Maintenance(engine).rescue_expired_leases(timedelta(0)))
        )
        for _ in range(4)
    ]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    assert sum(counts) == 1


def test_f29_a_pending_task_is_cancelled_at_once_and_a_running_one_by_its_worker(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    waiting = store.submit(ANN, new_task()).task
    assert store.cancel(ANN, waiting.id).status == TaskStatus.CANCELLED
    assert store.cancel(ANN, waiting.id).status == TaskStatus.CANCELLED
    assert runs.claim(waiting.id, "w") is None

    running = store.submit(ANN, new_task()).task
    claim = runs.claim(running.id, "w")
    assert store.cancel(ANN, running.id).status == TaskStatus.PROCESSING
    assert runs.heartbeat(claim, progress_of(1, 1)) is Pulse.CANCELLED
    assert not runs.finish(claim, finished("late")), "an accepted cancel is never a success"
    assert runs.fail(claim, code="cancelled", message="c", retry_in=None) == TaskStatus.CANCELLED


def test_f29_a_finished_task_cannot_be_cancelled(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    runs.finish(runs.claim(task.id, "w"), finished("k"))
    with pytest.raises(TaskConflict):
        store.cancel(ANN, task.id)


def test_a_cancelled_task_whose_worker_died_ends_as_cancelled(engine):
    store, runs = TaskRequests(engine), Worker(engine, LEASE)
    task = store.submit(ANN, new_task()).task
    runs.claim(task.id, "w")
    store.cancel(ANN, task.id)
    expire_lease(engine, task.id)
    Maintenance(engine).rescue_expired_leases(timedelta(0))
    assert store.get(ANN, task.id).status == TaskStatus.CANCELLED


def test_r32_retry_and_delete_ask_for_an_ended_task(engine):
    store = TaskRequests(engine)
    task = store.submit(ANN, new_task()).task
    with pytest.raises(TaskConflict):
        store.retry(ANN, task.id, max_attempts=3)
    with pytest.raises(TaskConflict):
        store.delete(ANN, task.id)
    store.cancel(ANN, task.id)
    again = store.retry(ANN, task.id, max_attempts=3).task
    assert (again.parent_id, again.status) == (task.id, TaskStatus.PENDING)
    store.delete(ANN, task.id)
    with pytest.raises(TaskNotFound):
        store.get(ANN, task.id)


def make_due(engine, task_id) -> None:
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == task_id)
            .values(next_attempt_at=datetime.now(UTC) - timedelta(seconds=5))
        )


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}"])
def test_g15_nobody_can_rewrite_the_audit_log(engine, statement):
    TaskRequests(engine).submit(ANN, new_task())
    with pytest.raises(DBAPIError, match="append-only"), write_transaction(engine) as connection:
        connection.exec_driver_sql(statement.format(qualified(connection, "audit_log")))


def test_g1_nothing_is_stored_when_the_transaction_fails(engine, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("crash before the commit")

    monkeypatch.setattr("waybill.infra.tasks.lifecycle.transitions.steps.add_wake_up", fail)
    with pytest.raises(OSError, match="crash"):
        TaskRequests(engine).submit(ANN, new_task())
    with read_transaction(engine) as connection:
        for table in (export_task, outbox, audit_log):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
