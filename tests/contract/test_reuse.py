"""Fresh files on both databases: who is given one, and how long its object stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.single_flight import CID, HOUR, all_at_once, wake_ups
from tests.support.task_store import ANN, BOB
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import storage_object
from waybill.infra.tasks.model import TaskConflict
from waybill.infra.tasks.states import TaskStatus


def test_a_fresh_file_is_given_to_its_own_user_as_the_same_task(desk):
    first = desk.task(ANN)
    desk.finish(first)
    again = desk.ask(ANN, reuse=HOUR)
    assert (again.task.id, again.deduplicated) == (first.id, True)
    assert again.task.status == TaskStatus.SUCCESS


def test_a_fresh_file_is_given_to_a_colleague_at_once(desk, engine):
    first = desk.task(ANN)
    desk.finish(first)
    wake_ups(engine)
    given = desk.ask(BOB, reuse=HOUR)
    assert not given.deduplicated
    assert (given.task.status, given.task.object_key) == (TaskStatus.SUCCESS, "object")
    assert given.task.finished_at >= desk.seen(first, ANN).finished_at
    assert given.task.expires_at == desk.seen(first, ANN).expires_at
    assert desk.actions(given.task) == ["reuse"]
    assert wake_ups(engine) == []
    # And the next time it is Bob's own.
    assert desk.ask(BOB, reuse=HOUR).task.id == given.task.id
    with pytest.raises(TaskConflict):
        desk.requests.cancel(BOB, given.task.id)


def test_under_another_name_the_same_user_gets_the_file_as_another_task(desk):
    first = desk.task(ANN)
    desk.finish(first)
    given = desk.ask(ANN, reuse=HOUR, filename="mine.xlsx", asked_filename="mine")
    assert (given.task.filename, given.task.object_key) == ("mine.xlsx", "object")
    assert given.task.download_url is None


def test_freshness_counts_from_the_rows_however_often_a_file_was_given(desk):
    first = desk.task(ANN)
    desk.finish(first, snapshot_at=datetime.now(UTC) - timedelta(minutes=50))
    given = desk.task(BOB, reuse=HOUR)
    assert given.status == TaskStatus.SUCCESS
    for task in (first, given):
        desk.change(task, snapshot_at=datetime.now(UTC) - timedelta(minutes=61))
    assert desk.task(CID, reuse=HOUR).status == TaskStatus.PENDING


@pytest.mark.parametrize(
    "change", [{"reuse": timedelta(0)}, {"reuse": HOUR, "least": timedelta(days=8)}]
)
def test_a_file_is_not_reused_unasked_or_shortly_before_its_end(desk, change):
    desk.finish(desk.task(ANN))
    assert desk.task(BOB, **change).status == TaskStatus.PENDING


def test_a_shared_object_outlives_all_but_the_last_of_its_tasks(desk):
    leader, follower = desk.task(ANN), desk.task(BOB)
    desk.finish(leader)
    desk.requests.delete(ANN, leader.id)
    assert desk.objects() == {"object": "STORED"}
    assert desk.maintenance.orphaned_objects() == []
    desk.change(follower, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert desk.maintenance.expired() == [follower.id]
    desk.maintenance.mark_expired(follower.id)
    assert desk.seen(follower, BOB).status == TaskStatus.EXPIRED
    assert desk.maintenance.orphaned_objects() == ["object"]


def test_an_object_on_record_as_open_is_no_orphan_while_a_task_refers_to_it(desk, engine):
    desk.finish(desk.task(ANN))
    with write_transaction(engine) as connection:
        connection.execute(sa.update(storage_object).values(state="OPEN"))
    assert desk.maintenance.orphaned_objects() == []


@pytest.mark.slow
def test_two_deleted_at_once_leak_no_object(desk):
    for number in range(10):
        key = f"object-{number}"
        leader, follower = desk.task(ANN), desk.task(BOB)
        desk.finish(leader, key)
        all_at_once(
            lambda task=leader: desk.requests.delete(ANN, task.id),
            lambda task=follower: desk.requests.delete(BOB, task.id),
        )
        assert desk.objects()[key] == "OPEN"


@pytest.mark.slow
def test_a_file_deleted_while_it_is_given_away_is_there_or_not_given(desk):
    """Never given and gone."""
    for number in range(10):
        key = f"object-{number}"
        first = desk.task(ANN)
        desk.finish(first, key)
        _, given = all_at_once(
            lambda task=first: desk.requests.delete(ANN, task.id),
            lambda: desk.task(BOB, reuse=HOUR),
        )
        kept = given.status == TaskStatus.SUCCESS
        assert desk.objects()[key] == ("STORED" if kept else "OPEN")
        if kept:
            desk.requests.delete(BOB, given.id)
        else:
            desk.requests.cancel(BOB, given.id)
