"""The queue of notifications: one claim each, retries, fair shares; on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.support.notification_rows import (
    DELIVERED,
    FAILED,
    RETRY_DELAYS,
    STRANGER,
    URL,
    ended,
    make_due,
    move,
    queue_of,
    rows,
    submitted,
    take,
)
from tests.support.task_store import LEASE, Worker, finished
from waybill.infra.notifications.queue import DeliveryResult
from waybill.infra.tasks.model import Task


@pytest.mark.slow
def test_two_hundred_ends_at_once_are_each_taken_once_by_four_workers(engine):
    tasks = [submitted(engine, notify={"webhook": URL}) for _ in range(200)]
    runs, taken, parts = Worker(engine, LEASE), [], [tasks[n::4] for n in range(4)]

    def work(part: list[Task]) -> None:
        queue = queue_of(engine)
        for task in part:
            runs.finish(runs.claim(task.id, "w"), finished(f"key-{task.id}"))
        while items := queue.take(10, per_tenant=10):
            for item in items:
                queue.record(item, DELIVERED)
                taken.append(item.task_id)

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while items := take(engine):
        taken += [item.task_id for item in items]
    assert sorted(taken) == sorted(task.id for task in tasks)


def test_a_claim_keeps_others_off_until_it_times_out(engine):
    ended(engine, {"webhook": URL})
    (first,) = take(engine)
    assert take(engine) == []
    move(engine, claimed_until=datetime.now(UTC) - timedelta(seconds=1))
    (second,) = take(engine)
    assert (second.id, first.attempt, second.attempt) == (first.id, 1, 2)


def test_each_failure_waits_for_its_retry_delay_and_the_last_one_gives_up(engine):
    task = ended(engine, {"webhook": URL})
    queue, ends = queue_of(engine), []
    for attempt, delay in enumerate((*RETRY_DELAYS, None), start=1):
        before = datetime.now(UTC)
        (item,) = take(engine)
        assert item.attempt == attempt
        ends.append(queue.record(item, FAILED))
        row = rows(engine, task)["webhook"]
        assert (row["last_status"], row["last_error"]) == (500, "http_status")
        if delay is not None:
            waits = row["available_at"] - before
            assert delay - timedelta(seconds=2) < waits < delay + timedelta(seconds=20)
            assert take(engine) == []
        make_due(engine)
    assert ends == [False, False, True]
    assert row["given_up_at"] is not None
    assert row["delivered_at"] is None
    assert take(engine) == []


def test_a_final_outcome_gives_up_at_once(engine):
    task = ended(engine, {"webhook": URL})
    gone = DeliveryResult(delivered=False, status=410, error="gone", final=True)
    assert queue_of(engine).record(take(engine)[0], gone)
    make_due(engine)
    assert take(engine) == []
    assert rows(engine, task)["webhook"]["given_up_at"] is not None


def test_a_worker_that_dies_at_every_try_is_given_up_in_the_end(engine):
    task = ended(engine, {"webhook": URL})
    for attempt in (1, 2, 3):
        assert [item.attempt for item in take(engine)] == [attempt]
        make_due(engine)
    assert take(engine) == []
    row = rows(engine, task)["webhook"]
    assert (row["last_error"], row["given_up_at"] is None) == ("interrupted", False)


def test_a_late_delivery_counts_and_a_late_failure_does_not(engine):
    task = ended(engine, {"webhook": URL})
    queue = queue_of(engine)
    (late,) = take(engine)
    make_due(engine)
    (current,) = take(engine)
    queue.record(late, FAILED)
    assert rows(engine, task)["webhook"]["last_error"] is None
    queue.record(late, DELIVERED)
    queue.record(current, FAILED)
    row = rows(engine, task)["webhook"]
    assert row["delivered_at"] is not None
    assert row["last_error"] is None


def test_a_tenant_with_many_leaves_room_for_the_others(engine):
    for _ in range(6):
        ended(engine, {"webhook": URL})
    small = ended(engine, {"webhook": URL}, STRANGER)
    taken = take(engine, 5, per_tenant=2)
    assert sorted(item.tenant_id for item in taken) == ["acme", "acme", "other-tenant"]
    assert small.id in {item.task_id for item in taken}
    assert take(engine, 5, without=["acme"]) == []
    assert len(take(engine, 5)) == 4


def test_a_message_does_not_show_its_target(engine):
    ended(engine, {"webhook": URL})
    (item,) = take(engine)
    assert "canary" not in repr(item)
    assert item.target == URL
    assert isinstance(item.id, UUID)
