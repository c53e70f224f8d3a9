"""Whose turn it is: a fair pick between tenants, caps on what runs, and no cap passed by racing."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.support.task_store import LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import export_task, throttled_queue
from waybill.infra.tasks.lifecycle.remembered_turns import TENANTS_AT_ONCE
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler
from waybill.infra.tasks.outbox import Outbox
from waybill.infra.tasks.states import TaskStatus

A, B, C = (Principal("ann", tenant) for tenant in "ABC")
_numbers = count()


@pytest.fixture
def requests(engine):
    return TaskRequests(engine)


def ask(requests, user, queue="orders"):
    new = new_task(queue=queue, params={"n": next(_numbers)})
    return requests.submit(user, new).task.id


def flood_of(engine, requests, user, number):
    """Many tasks, in the order of their age."""
    first = ask(requests, user)
    with write_transaction(engine) as connection:
        row = connection.execute(sa.select(export_task)).mappings().one()
        copies = [
            {
                **row,
                "id": uuid4(),
                "dedupe_key": str(n),
                "created_at": row["created_at"] + timedelta(microseconds=n),
            }
            for n in range(1, number)
        ]
        connection.execute(export_task.insert(), copies)
    return [first, *(copy["id"] for copy in copies)]


def workers(engine, **limits):
    return Worker(engine, LEASE, Limits.only(**limits))


def claimed(runs, times, queue="orders"):
    """What so many wake-ups in a row claim."""
    claims = [runs.claim_next(queue, "w") for _ in range(times)]
    return [claim for claim in claims if claim]


def test_r14_the_one_task_of_a_tenant_starts_among_the_next_two_of_anothers_flood(engine, requests):
    runs = workers(engine)
    flood = flood_of(engine, requests, A, 200)
    assert [claim.task.id for claim in claimed(runs, 2)] == flood[:2]
    small = ask(requests, B)
    assert small in [claim.task.id for claim in claimed(runs, 2)]


def test_turns_go_to_whoever_runs_least_and_then_to_the_oldest(engine, requests):
    runs = workers(engine)
    for user in (A, A, A, B, B, C):
        ask(requests, user)
    turns = [claim.task.tenant_id for claim in claimed(runs, 6)]
    assert turns == ["A", "B", "C", "A", "B", "A"]
    assert claimed(runs, 1) == []


def test_r14_no_tenant_of_many_has_two_turns_before_all_others_had_one(engine, requests):
    many = [f"tenant {number:02}" for number in range(TENANTS_AT_ONCE + 4)]
    for tenant in many * 2:
        ask(requests, Principal("ann", tenant))
    # Each remembers an order of its own.
    two = workers(engine), workers(engine)
    turns = [two[number % 2].claim_next("orders", "w").task.tenant_id for number in range(40)]
    assert [sorted(turns[:20]), sorted(turns[20:])] == [many, many]


def test_r14_a_tenant_that_joins_many_waits_for_one_turn_of_each_at_most(engine, requests):
    for tenant in range(TENANTS_AT_ONCE):
        for _ in range(2):
            ask(requests, Principal("ann", f"tenant {tenant}"))
    runs = workers(engine)
    claimed(runs, 1)
    small = ask(requests, A)
    assert small in [claim.task.id for claim in claimed(runs, TENANTS_AT_ONCE)]


def test_the_order_of_many_tenants_is_read_once_for_several_claims(engine, requests):
    for number in range(TENANTS_AT_ONCE):
        ask(requests, Principal("ann", f"tenant {number}"))
    runs, read = workers(engine), []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(connection, cursor, statement, *rest):
        read.append("WITH RECURSIVE" in statement)

    assert len(claimed(runs, TENANTS_AT_ONCE)) == TENANTS_AT_ONCE
    assert sum(read) == 1


def test_with_a_single_slot_tenants_take_turns(engine, requests):
    runs, turns = workers(engine), []
    for user in (A, A, A, B, B):
        ask(requests, user)
    while claims := claimed(runs, 1):
        turns.append(claims[0].task.tenant_id)
        runs.finish(claims[0], finished("k"))
    assert turns == ["A", "B", "A", "B", "A"]


def test_another_queue_is_not_looked_into(engine, requests):
    ask(requests, A, queue="other")
    assert claimed(workers(engine), 1) == []


def test_what_is_not_due_yet_is_passed_over(engine, requests):
    runs = workers(engine)
    ask(requests, A)
    (first,) = claimed(runs, 1)
    runs.fail(first, code="x", message="y", retry_in=timedelta(minutes=5))
    later = ask(requests, A)
    assert [claim.task.id for claim in claimed(runs, 2)] == [later]


def test_a_task_that_failed_goes_behind_those_that_waited_before_it(engine, requests):
    runs = workers(engine)
    failing, waiting = ask(requests, A), ask(requests, A)
    (claim,) = claimed(runs, 1)
    runs.fail(claim, code="x", message="y", retry_in=timedelta(0))
    assert [c.task.id for c in claimed(runs, 2)] == [waiting, failing]


def test_only_its_own_message_may_be_a_little_early(engine, requests):
    runs = workers(engine)
    task_id = ask(requests, A)
    (claim,) = claimed(runs, 1)
    runs.fail(claim, code="x", message="y", retry_in=timedelta(seconds=0.9))
    assert claimed(runs, 1) == []
    assert runs.claim_next("orders", "w", WakeUp(ask(requests, B), 0)).task.tenant_id == "B"
    with read_transaction(engine) as connection:
        fence = connection.execute(
            sa.select(export_task.c.fence).where(export_task.c.id == task_id)
        ).scalar_one()
    # An older copy of a message, republished before the attempt that failed.
    assert runs.claim_next("orders", "w", WakeUp(task_id, fence - 1)) is None
    assert runs.claim_next("orders", "w", WakeUp(task_id, fence)).task.id == task_id


def test_r14_a_tenant_at_its_cap_waits_until_one_of_its_own_has_ended(engine, requests):
    runs = workers(engine, max_running_per_tenant=2)
    for user in (A, A, A, B):
        ask(requests, user)
    claims = claimed(runs, 4)
    assert sorted(claim.task.tenant_id for claim in claims) == ["A", "A", "B"]
    runs.finish(claims[0], finished("k"))
    assert [claim.task.tenant_id for claim in claimed(runs, 2)] == ["A"]


def test_r14_a_user_at_the_cap_does_not_hold_up_a_colleague(engine, requests):
    runs = workers(engine, max_running_per_user=1)
    colleague = Principal("bob", "A")
    for user in (A, A, A, colleague):
        ask(requests, user)
    claims = claimed(runs, 4)
    assert [claim.task.created_by for claim in claims] == ["ann", "bob"]


@pytest.mark.slow
@pytest.mark.parametrize("cap", ["max_running_per_tenant", "max_running_per_user"])
def test_r14_no_number_of_workers_gets_past_a_cap(engine, requests, cap):
    for _ in range(20):
        ask(requests, A)
    runs, claims, barrier = workers(engine, **{cap: 3}), [], threading.Barrier(12)

    def claim() -> None:
        barrier.wait()
        claims.append(runs.claim_next("orders", "w"))

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in claims if claim]) == 3


def test_as_many_workers_as_tasks_claim_each_of_them_once(engine, requests):
    tasks = {ask(requests, user) for user in (A, B, C) for _ in range(4)}
    runs, claims, barrier = workers(engine), [], threading.Barrier(12)

    def claim() -> None:
        barrier.wait()
        claims.append(runs.claim_next("orders", "w"))

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {claim.task.id for claim in claims if claim} == tasks


def test_a_task_that_somebody_looks_at_is_waited_for(engine, requests):
    """Its wake-up is spent by this claim; passed over, it would wait for the sweeper."""
    if engine.dialect.name == "sqlite":
        pytest.skip("readers hold no locks there, and writers wait for each other")
    task_id, runs, claims = ask(requests, A), workers(engine), []
    claiming = threading.Thread(target=lambda: claims.extend(claimed(runs, 1)))
    with write_transaction(engine) as connection:
        locked = sa.select(export_task.c.id).where(export_task.c.id == task_id)
        connection.execute(locked.with_for_update())
        claiming.start()
        claiming.join(0.5)
        assert claiming.is_alive()
    claiming.join()
    assert [claim.task.id for claim in claims] == [task_id]


@pytest.mark.parametrize("cap", ["max_running_per_tenant", "max_running_per_user"])
def test_the_end_of_a_run_at_the_cap_wakes_other_queues(engine, requests, cap):
    runs = workers(engine, **{cap: 1})
    ask(requests, A)
    (claim,) = claimed(runs, 1)
    held = [ask(requests, A, queue="other") for _ in range(2)]
    ask(requests, A)
    ask(requests, B, queue="other")
    Outbox(engine).take()
    assert [c.task.tenant_id for c in claimed(runs, 2, "other")] == ["B"]
    runs.finish(claim, finished("k"))
    runs.wake_throttled_queues(claim.task)
    (sent,) = Outbox(engine).take()
    assert (sent.wake_up.task_id, sent.queue) == (held[0], "other")
    assert [c.task.id for c in claimed(runs, 1, "other")] == held[:1]


def test_each_of_several_runs_that_end_together_wakes_one_elsewhere(engine, requests):
    runs = workers(engine, max_running_per_tenant=3)
    for _ in range(3):
        ask(requests, A)
    claims = claimed(runs, 3)
    held = {ask(requests, A, queue="other") for _ in range(3)}
    assert claimed(runs, 1, "other") == []
    Outbox(engine).take()
    for claim in claims:
        runs.finish(claim, finished("k"))
    # None of them still sees the cap that kept the others back.
    for claim in claims:
        runs.wake_throttled_queues(claim.task)
    sent = Outbox(engine).take()
    assert [item.queue for item in sent] == ["other"] * 3
    assert {claim.task.id for claim in claimed(runs, len(sent), "other")} == held


def test_a_run_that_ends_while_its_cap_is_noted_holds_nobody_back(engine, requests, monkeypatch):
    runs = workers(engine, max_running_per_tenant=1)
    ask(requests, A)
    (claim,) = claimed(runs, 1)
    held = ask(requests, A, queue="other")
    note = FairScheduler.record_throttled

    def note_too_late(self, *question):
        runs.finish(claim, finished("k"))
        runs.wake_throttled_queues(claim.task)
        return note(self, *question)

    monkeypatch.setattr(FairScheduler, "record_throttled", note_too_late)
    assert runs.claim_next("other", "w").task.id == held


def test_a_note_goes_when_nothing_waits_any_more(engine, requests):
    runs = workers(engine, max_running_per_tenant=1)
    ask(requests, A)
    (claim,) = claimed(runs, 1)
    held = ask(requests, A, queue="other")
    assert claimed(runs, 1, "other") == []
    requests.cancel(A, held)
    Outbox(engine).take()
    runs.finish(claim, finished("k"))
    runs.wake_throttled_queues(claim.task)
    assert Outbox(engine).take() == []
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(throttled_queue)).all() == []


def test_the_end_of_a_run_below_every_cap_wakes_nobody(engine, requests):
    runs = workers(engine, max_running_per_tenant=5, max_running_per_user=5)
    ask(requests, A)
    (claim,) = claimed(runs, 1)
    ask(requests, A, queue="other")
    Outbox(engine).take()
    runs.finish(claim, finished("k"))
    runs.wake_throttled_queues(claim.task)
    assert Outbox(engine).take() == []


def test_a_claimed_task_is_processing_under_its_worker(engine, requests):
    ask(requests, A)
    (claim,) = claimed(workers(engine), 1)
    assert (claim.fence, claim.worker, claim.task.attempt) == (1, "w", 1)
    assert claim.task.status == TaskStatus.PROCESSING
