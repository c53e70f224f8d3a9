"""Waiting for the installation: uncounted, shown, ended by a time; and tasks that run alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, BOB, Worker, new_task
from waybill.faults import Fault
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import audit_log, export_task, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.scheduler import RunsAlone
from waybill.infra.tasks.model import SingleFlight

NOW = timedelta(0)
DELAYS = (timedelta(seconds=2), timedelta(seconds=120))
QUEUE = "orders"


@pytest.fixture
def worker(engine: Engine) -> Worker:
    return Worker(engine)


@pytest.fixture
def outages(engine: Engine) -> TaskOutages:
    return TaskOutages(engine)


def row(engine, task_id):
    with read_transaction(engine) as connection:
        query = sa.select(export_task).where(export_task.c.id == task_id)
        return connection.execute(query).mappings().one()


def entries(engine, task_id, table, column="task_id"):
    with read_transaction(engine) as connection:
        query = sa.select(table).where(table.c[column] == task_id).order_by(table.c.id)
        return list(connection.execute(query).mappings())


def submit(engine, user=ANN, **values):
    return TaskRequests(engine).submit(user, new_task(**values)).task


def waits_for_long(engine, task_id, by=timedelta(hours=25)):
    """Make the wait longer than it is."""
    since = row(engine, task_id)["waiting_since"] - by
    with write_transaction(engine) as connection:
        change = sa.update(export_task).where(export_task.c.id == task_id)
        connection.execute(change.values(waiting_since=since))


def postpone(worker, claim, delays=DELAYS):
    return worker.postpone(
        claim, waiting_for=Fault.STORAGE, code="storage_unavailable", message="No.", delays=delays
    )


def test_a_fault_of_the_installation_counts_as_no_attempt(engine, worker):
    task = submit(engine)
    claim = worker.claim_next(QUEUE, "one")
    assert postpone(worker, claim)

    after = row(engine, task.id)
    assert (after["status"], after["attempt"], after["retry_count"]) == ("PENDING", 0, 0)
    assert after["fence"] == claim.fence + 1
    assert after["waiting_for"] == "storage"
    assert after["next_attempt_at"] - after["updated_at"] == DELAYS[0]
    last = entries(engine, task.id, audit_log)[-1]
    assert (last["action"], last["from_status"], last["to_status"]) == (
        "postpone",
        "PROCESSING",
        "PENDING",
    )
    assert last["detail"] == {"code": "storage_unavailable", "waiting_for": "storage"}
    woken = entries(engine, task.id, outbox)[-1]
    assert (woken["kind"], woken["delay_seconds"]) == ("postpone", DELAYS[0].total_seconds())


def test_a_claim_that_was_lost_postpones_nothing(engine, worker):
    task = submit(engine)
    claim = worker.claim_next(QUEUE, "one")
    assert worker.release(claim)
    assert not postpone(worker, claim)
    assert row(engine, task.id)["waiting_for"] is None


def test_the_wait_begins_with_the_first_fault_and_pauses_grow(engine, worker):
    task = submit(engine)
    postpone(worker, worker.claim_next(QUEUE, "one"), delays=(NOW, DELAYS[1]))
    waits_for_long(engine, task.id, timedelta(seconds=30))
    since = row(engine, task.id)["waiting_since"]
    postpone(worker, worker.claim_next(QUEUE, "one"))

    after = row(engine, task.id)
    assert after["waiting_since"] == since
    pause = after["next_attempt_at"] - after["updated_at"]
    assert timedelta(seconds=15) <= pause < DELAYS[1]


def test_a_cancelled_task_does_not_wait(engine, worker):
    task = submit(engine)
    claim = worker.claim_next(QUEUE, "one")
    TaskRequests(engine).cancel(ANN, task.id)
    assert postpone(worker, claim)
    assert row(engine, task.id)["status"] == "CANCELLED"


def test_a_counted_failure_ends_the_wait(engine, worker):
    task = submit(engine)
    postpone(worker, worker.claim_next(QUEUE, "one"), delays=(NOW, NOW))
    claim = worker.claim_next(QUEUE, "one")
    worker.fail(claim, code="stalled", message="No.", retry_in=NOW)
    assert row(engine, task.id)["waiting_since"] is None


def test_followers_wait_with_their_leader(engine, worker):
    flight = SingleFlight("key")
    submit(engine, single_flight=flight)
    follower = submit(engine, BOB, single_flight=flight)
    postpone(worker, worker.claim_next(QUEUE, "one"))
    assert row(engine, follower.id)["waiting_for"] == "storage"


def test_tasks_nobody_tried_are_marked_and_the_mark_goes_with_the_outage(engine, worker, outages):
    tried, waiting = submit(engine), submit(engine, params={"n": 2})
    other = submit(engine, params={"n": 3}, queue="other")
    postpone(worker, worker.claim_next(QUEUE, "one"), delays=(NOW, NOW))

    assert outages.mark(Fault.STORAGE, [QUEUE]) == 1
    assert outages.mark(Fault.STORAGE, [QUEUE]) == 0
    assert row(engine, waiting.id)["waiting_for"] == "storage"
    assert row(engine, other.id)["waiting_for"] is None

    assert outages.clear(Fault.SOURCE, [QUEUE]) == 0
    assert outages.clear(Fault.STORAGE, [QUEUE]) == 1
    assert row(engine, waiting.id)["waiting_since"] is None
    # It was refused itself: its time runs on until it has ended.
    assert row(engine, tried.id)["waiting_for"] == "storage"


def test_a_time_ends_the_wait_and_not_a_count(engine, worker, outages):
    tried, waiting = submit(engine), submit(engine, params={"n": 2})
    for _ in range(5):
        postpone(worker, worker.claim(tried.id, "one"), delays=(NOW, NOW))
    outages.mark(Fault.STORAGE, [QUEUE])
    day = timedelta(days=1)
    assert outages.give_up(day) == 0
    for task in (tried, waiting):
        waits_for_long(engine, task.id)
    assert outages.give_up(day) == 2
    assert outages.give_up(day) == 0

    for task, message in ((tried, "No."), (waiting, "The object store did not come back in time.")):
        ended = row(engine, task.id)
        assert (ended["status"], ended["error_code"], ended["error_message"]) == (
            "FAILED",
            "storage_unavailable",
            message,
        )
        assert entries(engine, task.id, audit_log)[-1]["action"] == "give_up"
        letter = entries(engine, task.id, outbox)[-1]
        assert (letter["kind"], letter["reason"]) == ("dead", f"storage_unavailable: {message}")


def test_a_running_task_is_not_given_up(engine, worker, outages):
    task = submit(engine)
    postpone(worker, worker.claim_next(QUEUE, "one"), delays=(NOW, NOW))
    waits_for_long(engine, task.id)
    worker.claim_next(QUEUE, "one")
    assert outages.give_up(timedelta(days=1)) == 0


def lose(engine, worker):
    """The next task loses its worker."""
    lost = Worker(engine, lease=timedelta(0))
    claim = lost.claim_next(QUEUE, "lost")
    assert Maintenance(engine).rescue_expired_leases(NOW) == 1
    return claim.task.id


def test_after_a_lost_worker_a_task_is_claimed_by_an_idle_worker_only(engine, worker):
    submit(engine)
    lost = lose(engine, worker)
    with pytest.raises(RunsAlone):
        worker.claim_next(QUEUE, "busy", alone=False)
    claim = worker.claim_next(QUEUE, "idle")
    assert (claim.task.id, claim.task.run_alone) == (lost, True)


def test_a_task_that_waited_before_it_is_claimed_beside_others(engine, worker):
    submit(engine)
    lose(engine, worker)
    other = submit(engine, BOB, params={"n": 2})
    with write_transaction(engine) as connection:
        change = sa.update(export_task).where(export_task.c.id == other.id)
        connection.execute(change.values(created_at=other.created_at - timedelta(hours=1)))
    claim = worker.claim_next(QUEUE, "busy", alone=False)
    assert (claim.task.id, claim.task.run_alone) == (other.id, False)


def test_the_clock_of_this_machine_is_compared_with_the_databases(outages):
    assert abs(outages.clock_ahead()) < timedelta(minutes=1)
