"""How much one user and one tenant may ask for, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.support.task_store import ANN, BOB, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle.quotas import (
    BacklogFull,
    DailyRowsExceeded,
    NotNow,
    TooManyExports,
)
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import SingleFlight
from waybill.infra.tasks.outbox import Outbox

ELSEWHERE = Principal("ann", "other")


def fill(store, user, count, first=0):
    return [
        store.submit(user, new_task(params={"n": first + n, "u": user.user})).task
        for n in range(count)
    ]


def finish(engine, task, key="k", **change):
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")
    runs.reserve_object(claim, key)
    runs.finish(claim, finished(key, **change))


def test_r14_a_user_at_the_limit_is_told_to_wait_and_colleagues_are_not(engine):
    store = TaskRequests(engine, Limits.only(max_queued_per_user=3))
    first, *_ = fill(store, ANN, 3)
    with pytest.raises(TooManyExports) as refused:
        fill(store, ANN, 1, first=3)
    assert refused.value.retry_after > timedelta(0)
    assert "3" in refused.value.message
    fill(store, BOB, 3)
    fill(store, ELSEWHERE, 3)
    store.cancel(ANN, first.id)
    fill(store, ANN, 1, first=3)


def test_r14_a_tenant_at_the_limit_is_told_to_wait_and_others_are_not(engine):
    store = TaskRequests(engine, Limits.only(max_queued_per_tenant=4))
    fill(store, ANN, 2)
    fill(store, BOB, 2)
    for user in (ANN, BOB):
        with pytest.raises(TooManyExports):
            fill(store, user, 1, first=9)
    fill(store, ELSEWHERE, 1)


def test_what_is_there_already_is_answered_at_the_limit(engine):
    store = TaskRequests(engine, Limits.only(max_queued_per_user=2))
    (first,) = fill(store, ANN, 1)
    keyed = store.submit(ANN, new_task(idempotency_key="once")).task
    assert fill(store, ANN, 1)[0].id == first.id
    assert store.submit(ANN, new_task(idempotency_key="once")).task.id == keyed.id
    with pytest.raises(TooManyExports):
        store.retry(ANN, cancelled(store, first), max_attempts=1) and fill(store, ANN, 1, first=7)


def cancelled(store, task):
    return store.cancel(ANN, task.id).id


def test_a_follower_counts_as_waiting(engine):
    store = TaskRequests(engine, Limits.only(max_queued_per_user=1))
    flight = SingleFlight("k")
    store.submit(ANN, new_task(single_flight=flight))
    assert store.submit(BOB, new_task(single_flight=flight)).task.joined_id
    with pytest.raises(TooManyExports):
        fill(store, BOB, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "cap"),
    [("max_queued_per_user", 7), ("max_queued_per_tenant", 7), ("max_queued_per_user", 230)],
)
def test_r14_a_hundred_different_requests_at_once_never_pass_the_limit(engine, limit, cap):
    """The larger cap is first met without a lock."""
    if cap > 200:
        fill(TaskRequests(engine), ANN, 1)
        with write_transaction(engine) as connection:
            row = connection.execute(sa.select(export_task)).mappings().one()
            copies = [{**row, "id": uuid4(), "dedupe_key": str(n)} for n in range(cap - 41)]
            connection.execute(export_task.insert(), copies)
    store = TaskRequests(engine, Limits.only(**{limit: cap}))
    answers, barrier = [], threading.Barrier(20)

    def ask(thread: int) -> None:
        barrier.wait()
        for n in range(5):
            try:
                new = new_task(params={"thread": thread, "n": n})
                answers.append(store.submit(ANN, new).task)
            except NotNow:
                answers.append(None)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 100
    assert sum(answer is not None for answer in answers) == min(cap, 40)
    assert store.page(ANN).total == cap


def test_rows_of_the_day_end_with_the_day(engine):
    store = TaskRequests(engine, Limits.only(max_daily_rows_per_user=8))
    for number, task in enumerate(fill(store, ANN, 2)):
        finish(engine, task, f"k{number}")
    with pytest.raises(DailyRowsExceeded) as refused:
        fill(store, ANN, 1, first=2)
    assert timedelta(0) < refused.value.retry_after <= timedelta(days=1)
    fill(store, BOB, 1)


def test_rows_of_all_users_count_for_their_tenant(engine):
    store = TaskRequests(engine, Limits.only(max_daily_rows_per_tenant=10))
    for user in (ANN, BOB):
        finish(engine, *fill(store, user, 1), user.user)
    with pytest.raises(DailyRowsExceeded):
        fill(store, Principal("cid", ANN.tenant), 1)
    fill(store, ELSEWHERE, 1)


def test_rows_of_a_shared_file_count_for_everybody_who_gets_it(engine):
    store, flight = (
        TaskRequests(engine, Limits.only(max_daily_rows_per_user=5)),
        SingleFlight("k", timedelta(1)),
    )
    leader = store.submit(ANN, new_task(single_flight=flight)).task
    store.submit(BOB, new_task(single_flight=flight))
    finish(engine, leader, flight_key="k")
    cid = Principal("cid", ANN.tenant)
    assert store.submit(cid, new_task(single_flight=flight)).task.status == "SUCCESS"
    for user in (ANN, BOB, cid):
        with pytest.raises(DailyRowsExceeded):
            store.submit(user, new_task(params={"more": 1}, single_flight=flight))


def test_f9_while_the_broker_takes_nothing_exports_are_accepted_up_to_the_backlog(engine):
    store = TaskRequests(engine, Limits.only(max_backlog=3))
    fill(store, ANN, 3)
    with pytest.raises(BacklogFull) as refused:
        fill(store, BOB, 1)
    assert refused.value.retry_after > timedelta(0)
    box = Outbox(engine)
    box.mark_published(box.take())
    fill(store, BOB, 1)
