"""Who is told of an end, on SQLite and PostgreSQL: written with it, handed out once, kept."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exporter.principal import Principal
from infra.database import reading, writing
from infra.tasks.announcements import announce
from infra.tasks.model import Task, TaskNotFound
from infra.tasks.notice_queue import NoticeQueue, Outcome, Owed
from infra.tasks.notices import Notices
from infra.tasks.requests import TaskRequests
from infra.tasks.runs import TaskRuns
from infra.tasks.schema import export_task
from infra.tasks.schema_notices import notification
from infra.tasks.upkeep import Upkeep
from tests.contract.task_store import ANN, BOB, LEASE, expire_lease, finished, new_task

STRANGER = Principal("ann", "other-tenant")
URL = "https://hooks.example/T1/canary"
BOTH = {"webhook": URL, "email": "ann@acme.example"}
LADDER = (timedelta(seconds=5), timedelta(seconds=300))
FAILED = Outcome(delivered=False, status=500, error="http_status")
DELIVERED = Outcome(delivered=True, status=204)

_city = iter(range(10_000))


def submitted(engine: Engine, user: Principal = ANN, **change: object) -> Task:
    """A task that no other one is a twin of."""
    params = {"city": f"city {next(_city)}"}
    return TaskRequests(engine).submit(user, new_task(params=params, **change)).task


def succeed(engine: Engine, task: Task) -> None:
    runs = TaskRuns(engine, LEASE)
    claim = runs.claim(task.id, "w")
    assert claim
    assert runs.finish(claim, finished(f"key-{task.id}"))


def ended(engine: Engine, notify: dict[str, str] | None = None, user: Principal = ANN) -> Task:
    task = submitted(engine, user, notify=notify)
    succeed(engine, task)
    return task


def rows(engine: Engine, task: Task) -> dict[str, sa.RowMapping]:
    with reading(engine) as connection:
        query = sa.select(notification).where(notification.c.task_id == task.id)
        found = list(connection.execute(query).mappings())
    by_channel = {row["channel"]: row for row in found}
    assert len(by_channel) == len(found)
    return by_channel


def queue_of(engine: Engine) -> NoticeQueue:
    return NoticeQueue(engine, LADDER)


def take(engine: Engine, limit: int = 100, **more: object) -> list[Owed]:
    return queue_of(engine).take(limit, **{"per_tenant": 100, **more})


def move(engine: Engine, **values: object) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(notification).values(**values))


def make_due(engine: Engine) -> None:
    """As if every delay and every claim were over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    move(engine, available_at=past, claimed_until=None)


def cancel_pending(engine: Engine, task: Task) -> None:
    TaskRequests(engine).cancel(ANN, task.id)


def cancel_running(engine: Engine, task: Task) -> None:
    runs = TaskRuns(engine, LEASE)
    claim = runs.claim(task.id, "w")
    TaskRequests(engine).cancel(ANN, task.id)
    assert rows(engine, task) == {}
    runs.fail(claim, code="cancelled", message="Cancelled.", retry_in=None)


def cancel_and_release(engine: Engine, task: Task) -> None:
    runs = TaskRuns(engine, LEASE)
    claim = runs.claim(task.id, "w")
    TaskRequests(engine).cancel(ANN, task.id)
    runs.release(claim)


def fail(engine: Engine, task: Task) -> None:
    runs = TaskRuns(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="broken", message="It broke.", retry_in=None)


def lose_every_worker(engine: Engine, task: Task) -> None:
    for _ in range(task.max_attempts):
        TaskRuns(engine, LEASE).claim(task.id, "w")
        expire_lease(engine, task.id)
        Upkeep(engine).rescue_expired_leases(timedelta(0))


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
    assert set(found) == {"notice", "webhook", "email"}
    assert {row["event"] for row in found.values()} == {event}
    assert {row["detail"]["code"] for row in found.values()} == {code}
    assert {name: row["target"] for name, row in found.items()} == {"notice": None, **BOTH}


def test_a_task_that_goes_on_is_no_news(engine):
    task = submitted(engine, notify=BOTH)
    runs = TaskRuns(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="x", message="x", retry_in=timedelta(0))
    runs.release(runs.claim(task.id, "w"))
    assert rows(engine, task) == {}


def test_whoever_did_not_ask_gets_a_notice_and_nothing_else(engine):
    task = ended(engine)
    assert set(rows(engine, task)) == {"notice"}
    assert take(engine) == []


def test_an_end_that_is_rolled_back_is_told_to_nobody(engine, monkeypatch):
    task = submitted(engine, notify=BOTH)
    runs = TaskRuns(engine, LEASE)
    claim = runs.claim(task.id, "w")

    def crash(*args):
        announce(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr("infra.tasks.endings.announce", crash)
    with pytest.raises(KeyboardInterrupt):
        runs.finish(claim, finished("key"))
    assert rows(engine, task) == {}


def test_an_end_announced_twice_is_owed_once(engine):
    task = ended(engine, BOTH)
    with writing(engine) as connection:
        row = connection.execute(sa.select(export_task)).mappings().one()
        announce(connection, datetime.now(UTC), row)
    assert len(rows(engine, task)) == 3


def test_two_hundred_ends_at_once_are_each_taken_once_by_four_workers(engine):
    tasks = [submitted(engine, notify={"webhook": URL}) for _ in range(200)]
    runs, taken, parts = TaskRuns(engine, LEASE), [], [tasks[n::4] for n in range(4)]

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


def test_a_failure_waits_for_its_place_on_the_ladder_and_the_last_one_gives_up(engine):
    task = ended(engine, {"webhook": URL})
    queue, ends = queue_of(engine), []
    for attempt, delay in enumerate((*LADDER, None), start=1):
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
    gone = Outcome(delivered=False, status=410, error="gone", final=True)
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
    notices = Notices(engine)
    first, second = notices.newest(ANN, limit=2)
    rest = notices.newest(ANN, before=second.id, limit=2)
    assert [item.task_id for item in (first, second, *rest)] == [t.id for t in reversed(tasks)]
    assert notices.newest(BOB, before=second.id) == []
    assert notices.newest(ANN, before=uuid4()) == []
    assert (notices.unread(ANN), notices.unread(BOB)) == (3, 1)


def test_reading_up_to_a_notice_leaves_newer_ones_and_other_peoples(engine):
    for user in (ANN, ANN, ANN, BOB):
        ended(engine, user=user)
    notices = Notices(engine)
    newest, middle, oldest = notices.newest(ANN)
    notices.mark_read(BOB, middle.id)
    assert notices.unread(ANN) == 3
    assert notices.unread(BOB) == 1
    notices.mark_read(ANN, middle.id)
    assert [item.read_at is None for item in notices.newest(ANN)] == [True, False, False]
    notices.mark_read(ANN)
    assert (notices.unread(ANN), notices.unread(BOB)) == (0, 1)
    assert {newest.id, oldest.id} <= {item.id for item in notices.newest(ANN)}


def test_a_deleted_task_leaves_the_notices_and_stays_owed(engine):
    task = ended(engine, {"webhook": URL})
    TaskRequests(engine).delete(ANN, task.id)
    assert Notices(engine).newest(ANN) == []
    assert [item.task_id for item in take(engine)] == [task.id]


def test_the_delivery_log_is_its_owners(engine):
    task = ended(engine, BOTH)
    notices = Notices(engine)
    log = notices.of_task(ANN, task.id)
    assert {item.channel for item in log} == {"notice", "webhook", "email"}
    assert "canary" not in repr(log)
    for other in (BOB, STRANGER):
        with pytest.raises(TaskNotFound):
            notices.of_task(other, task.id)


def test_figures_tell_results_apart(engine):
    for outcome in (DELIVERED, FAILED, Outcome(delivered=False, error="gone", final=True)):
        ended(engine, {"webhook": URL})
        queue_of(engine).record(take(engine)[0], outcome)
    ended(engine, {"email": "ann@acme.example"})
    assert Notices(engine).count_by_result() == {
        ("webhook", "delivered"): 1,
        ("webhook", "failing"): 1,
        ("webhook", "given_up"): 1,
        ("email", "waiting"): 1,
    }
    failed = Notices(engine).of_everybody(failed=True, tenant="acme", channel="webhook")
    assert sorted(item.last_error for item in failed) == ["gone", "http_status"]


def test_old_notices_go_and_what_is_owed_stays(engine):
    old, new = ended(engine, {"webhook": URL}), ended(engine)
    with writing(engine) as connection:
        connection.execute(
            sa.update(notification)
            .where(notification.c.task_id == old.id)
            .values(created_at=datetime.now(UTC) - timedelta(days=31))
        )
    assert Upkeep(engine).prune_notifications(timedelta(days=30)) == 1
    assert set(rows(engine, old)) == {"webhook"}
    assert [item.task_id for item in Notices(engine).newest(ANN)] == [new.id]


def test_a_message_does_not_show_its_target(engine):
    ended(engine, {"webhook": URL})
    (item,) = take(engine)
    assert "canary" not in repr(item)
    assert item.target == URL
    assert isinstance(item.id, UUID)
