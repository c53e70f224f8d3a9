"""Rows of notifications: written with the end of a task, seen by its owner only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.notification_rows import (
    BOTH,
    DELIVERED,
    FAILED,
    STRANGER,
    URL,
    ended,
    queue_of,
    rows,
    submitted,
    succeed,
    take,
)
from tests.support.single_flight import CID, HOUR, Desk
from tests.support.task_store import ANN, BOB, LEASE, Worker, expire_lease, finished, new_task
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task, notification
from waybill.infra.notifications.queries import NotificationQueries
from waybill.infra.notifications.queue import DeliveryResult
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Task, TaskNotFound
from waybill.infra.tasks.notifications import insert_notifications
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.states import TaskStatus


def cancel_pending(engine: Engine, task: Task) -> None:
    TaskRequests(engine).cancel(ANN, task.id)


def cancel_running(engine: Engine, task: Task) -> None:
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")
    TaskRequests(engine).cancel(ANN, task.id)
    assert rows(engine, task) == {}
    runs.fail(claim, code="cancelled", message="Cancelled.", retry_in=None)


def cancel_and_release(engine: Engine, task: Task) -> None:
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")
    TaskRequests(engine).cancel(ANN, task.id)
    runs.release(claim)


def fail(engine: Engine, task: Task) -> None:
    runs = Worker(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="broken", message="It broke.", retry_in=None)


def lose_every_worker(engine: Engine, task: Task) -> None:
    for _ in range(task.max_attempts):
        Worker(engine, LEASE).claim(task.id, "w")
        expire_lease(engine, task.id)
        Maintenance(engine).rescue_expired_leases(timedelta(0))


@pytest.mark.parametrize(
    ("end", "event", "code"),
    [
        (succeed, "export.succeeded", None),
        (fail, "export.failed", "broken"),
        (lose_every_worker, "export.failed", "worker_lost"),
        (cancel_pending, "export.cancelled", None),
        (cancel_running, "export.cancelled", "cancelled"),
        (cancel_and_release, "export.cancelled", None),
    ],
)
def test_every_end_is_owed_once_to_everybody_who_asked(engine, end, event, code):
    task = submitted(engine, notify=BOTH)
    end(engine, task)
    found = rows(engine, task)
    targets = {"notice": None, **BOTH}
    if event == "export.cancelled":
        # R40: its owner has cancelled it, and nobody else needs a mail about that.
        del targets["email"]
    assert {name: row["target"] for name, row in found.items()} == targets
    assert {row["event"] for row in found.values()} == {event}
    assert {row["detail"]["code"] for row in found.values()} == {code}


def test_a_task_that_goes_on_is_no_news(engine):
    task = submitted(engine, notify=BOTH)
    runs = Worker(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="x", message="x", retry_in=timedelta(0))
    runs.release(runs.claim(task.id, "w"))
    assert rows(engine, task) == {}


def test_whoever_did_not_ask_gets_a_notice_and_nothing_else(engine):
    task = ended(engine)
    assert set(rows(engine, task)) == {"notice"}
    assert take(engine) == []


def test_an_end_that_is_rolled_back_is_told_to_nobody(engine, monkeypatch):
    task = submitted(engine, notify=BOTH)
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")

    def crash(*args):
        insert_notifications(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "waybill.infra.tasks.lifecycle.transitions.completion.insert_notifications", crash
    )
    with pytest.raises(KeyboardInterrupt):
        runs.finish(claim, finished("key"))
    assert rows(engine, task) == {}


def test_whoever_shares_a_file_is_told_of_their_own_task(engine):
    desk = Desk(engine)
    flying = desk.task(ANN, notify=BOTH)
    joined = desk.task(BOB, notify={"webhook": URL})
    assert joined.joined_id == flying.id
    desk.finish(flying)
    given = desk.task(CID, reuse=HOUR, notify={"webhook": URL})
    assert given.status == TaskStatus.SUCCESS
    for task, user, channels in ((flying, ANN, {*BOTH}), (joined, BOB, {"webhook"})):
        found = rows(engine, task)
        assert set(found) == {"notice", *channels}
        assert {row["user_id"] for row in found.values()} == {user.user}
    assert set(rows(engine, given)) == {"notice", "webhook"}


def test_an_end_recorded_twice_is_one_notification(engine):
    task = ended(engine, BOTH)
    with write_transaction(engine) as connection:
        row = connection.execute(sa.select(export_task)).mappings().one()
        insert_notifications(connection, datetime.now(UTC), row)
    assert len(rows(engine, task)) == 3


def test_a_retry_tells_the_same_people(engine):
    task = submitted(engine, notify=BOTH)
    fail(engine, task)
    again = TaskRequests(engine).retry(ANN, task.id, max_attempts=3).task
    succeed(engine, again)
    assert set(rows(engine, again)) == {"notice", "webhook", "email"}


def test_asking_to_tell_somebody_else_is_another_request(engine):
    store, params = TaskRequests(engine), {"city": "Bonn"}
    plain, hook, again = (
        store.submit(ANN, new_task(params=params, notify=notify))
        for notify in (None, {"webhook": URL}, {"webhook": URL})
    )
    assert not hook.deduplicated
    assert again.deduplicated
    assert plain.task.id != hook.task.id == again.task.id


def test_notices_are_their_owners_newest_first_and_in_parts(engine):
    tasks = [ended(engine) for _ in range(3)]
    ended(engine, user=BOB)
    ended(engine, user=STRANGER)
    notices = NotificationQueries(engine)
    first, second = notices.newest_notices(ANN, limit=2)
    rest = notices.newest_notices(ANN, before=second.id, limit=2)
    assert [item.task_id for item in (first, second, *rest)] == [t.id for t in reversed(tasks)]
    assert notices.newest_notices(BOB, before=second.id) == []
    assert notices.newest_notices(ANN, before=uuid4()) == []
    assert (notices.count_unread_notices(ANN), notices.count_unread_notices(BOB)) == (3, 1)


def test_reading_up_to_a_notice_leaves_newer_ones_and_other_peoples(engine):
    for user in (ANN, ANN, ANN, BOB):
        ended(engine, user=user)
    notices = NotificationQueries(engine)
    newest, middle, oldest = notices.newest_notices(ANN)
    notices.mark_notices_read(BOB, middle.id)
    assert notices.count_unread_notices(ANN) == 3
    assert notices.count_unread_notices(BOB) == 1
    notices.mark_notices_read(ANN, middle.id)
    assert [item.read_at is None for item in notices.newest_notices(ANN)] == [True, False, False]
    notices.mark_notices_read(ANN)
    assert (notices.count_unread_notices(ANN), notices.count_unread_notices(BOB)) == (0, 1)
    assert {newest.id, oldest.id} <= {item.id for item in notices.newest_notices(ANN)}


def test_deleting_a_task_deletes_its_notices_and_keeps_its_webhooks(engine):
    task = ended(engine, {"webhook": URL})
    TaskRequests(engine).delete(ANN, task.id)
    assert NotificationQueries(engine).newest_notices(ANN) == []
    assert [item.task_id for item in take(engine)] == [task.id]


def test_the_delivery_log_is_its_owners(engine):
    task = ended(engine, BOTH)
    notices = NotificationQueries(engine)
    log = notices.of_task(ANN, task.id)
    assert {item.channel for item in log} == {"notice", "webhook", "email"}
    assert "canary" not in repr(log)
    for other in (BOB, STRANGER):
        with pytest.raises(TaskNotFound):
            notices.of_task(other, task.id)


def test_figures_tell_results_apart(engine):
    for outcome in (DELIVERED, FAILED, DeliveryResult(delivered=False, error="gone", final=True)):
        ended(engine, {"webhook": URL})
        queue_of(engine).record(take(engine)[0], outcome)
    ended(engine, {"email": "ann@acme.example"})
    assert NotificationQueries(engine).count_by_result() == {
        ("webhook", "delivered"): 1,
        ("webhook", "failing"): 1,
        ("webhook", "given_up"): 1,
        ("email", "waiting"): 1,
    }
    failed = NotificationQueries(engine).in_scope(
        ALL_TENANTS, failed=True, tenant="acme", channel="webhook"
    )
    assert sorted(item.last_error for item in failed) == ["gone", "http_status"]


def test_old_notices_go_and_what_is_owed_stays(engine):
    old, new = ended(engine, {"webhook": URL}), ended(engine)
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(notification)
            .where(notification.c.task_id == old.id)
            .values(created_at=datetime.now(UTC) - timedelta(days=31))
        )
    assert Pruning(engine, keep_notices=timedelta(days=30)).prune_notifications() == 1
    assert set(rows(engine, old)) == {"webhook"}
    assert [item.task_id for item in NotificationQueries(engine).newest_notices(ANN)] == [new.id]
