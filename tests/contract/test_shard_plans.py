"""Plans of exports in shards: the next attempt goes on with one, and no other attempt ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.support.shard_plans import DONE, FILE, NUMBERS, PLAN
from tests.support.task_store import (
    ANN,
    LEASE,
    Worker,
    expire_lease,
    finished,
    new_task,
    progress_of,
)
from waybill.exporter.errors import ExportCancelled
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log, outbox, shard_plan, snapshot_holder
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import Pulse, TaskRuns
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.tasks.shards import TaskShards
from waybill.infra.tasks.tree_digest import tree_digest

OURS = replace(PLAN.snapshot, name="0-9")


@pytest.fixture
def plans(engine):
    return ShardPlans(engine)


@pytest.fixture
def shards(engine):
    return TaskShards(engine, LEASE)


@pytest.fixture
def runs(engine):
    return TaskRuns(engine, LEASE)


@pytest.fixture
def lost(engine, plans, runs):
    """The claim of a worker whose export is planned in shards. It will be silent."""
    task = TaskRequests(engine).submit(ANN, new_task()).task
    claim = Worker(engine).claim(task.id, "first")
    assert runs.reserve_object(claim, FILE.key)
    assert plans.begin(claim, FILE, PLAN, NUMBERS)
    return claim


def rescue(engine, claim):
    """Take the task from a silent worker, and let the next one claim it."""
    expire_lease(engine, claim.task.id)
    Maintenance(engine).rescue_expired_leases(timedelta(0))
    return Worker(engine).claim(claim.task.id, "second")


def audited(engine, action):
    with read_transaction(engine) as connection:
        query = sa.select(audit_log.c.detail).where(audit_log.c.action == action)
        return connection.execute(query).scalars().all()


def test_f115_the_next_attempt_has_what_is_written_and_writes_the_rest(engine, lost, plans, shards):
    written, frozen = shards.claim_own(lost), shards.claim_next("orders", "helper")
    assert shards.finish(written, DONE, progress_of(10, 10))
    successor = rescue(engine, lost)
    left = plans.left(successor)
    assert (left.file, left.snapshot, left.shards) == (FILE, PLAN.snapshot, PLAN.shards)
    assert (left.fence, left.done, left.rows_done) == (lost.fence, 1, 10)
    assert plans.adopt(successor, left, OURS)
    assert shards.heartbeat(frozen, progress_of(1, 10)) is Pulse.LOST
    assert not shards.finish(frozen, DONE, progress_of(10, 10))
    again = [shards.claim_own(successor), shards.claim_next("orders", "helper")]
    assert [claim.shard for claim in again] == PLAN.shards[1:]
    assert all((claim.file, claim.snapshot) == (FILE, OURS) for claim in again)
    for claim in again:
        assert shards.finish(claim, DONE, progress_of(10, 10))
    assert shards.written(successor) == [DONE] * 3
    assert shards.written(lost) is None
    [resumed] = audited(engine, "resume")
    assert resumed == {"attempt": 2, "shards_done": 1, "rows": 10}
    with read_transaction(engine) as connection:
        query = sa.select(outbox.c.kind).where(outbox.c.fence == successor.fence)
        assert {"shard-1", "shard-2"} <= set(connection.execute(query).scalars())


def test_f115_a_plan_is_taken_over_once_and_by_the_attempt_that_has_the_task(engine, lost, plans):
    assert plans.left(lost) is None
    assert not plans.adopt(lost, plans_left(engine, plans, lost), OURS)


def plans_left(engine, plans, lost):
    """What is left to the second attempt, which has taken it over by now."""
    second = rescue(engine, lost)
    left = plans.left(second)
    assert plans.adopt(second, left, OURS)
    assert not plans.adopt(second, left, OURS)
    assert plans.left(second) is None
    return left


def test_f116_who_lost_the_plan_cannot_give_it_up(engine, lost, plans):
    successor = rescue(engine, lost)
    assert plans.forget(lost) is None
    assert plans.adopt(successor, plans.left(successor), OURS)
    assert plans.forget(lost) is None
    assert plans.forget(successor, "a reason") == FILE.key
    assert plans.forget(successor, "a reason") is None
    assert audited(engine, "start_over") == [{"attempt": 2, "shards_done": 0, "why": "a reason"}]


def test_f116_an_upload_is_kept_while_its_task_may_go_on_and_collected_after_that(
    engine, lost, plans, runs
):
    maintenance = Maintenance(engine)
    assert maintenance.orphaned_objects() == []
    successor = rescue(engine, lost)
    assert plans.adopt(successor, plans.left(successor), OURS)
    assert runs.release(successor)
    assert maintenance.orphaned_objects() == []
    TaskRequests(engine).cancel(ANN, lost.task.id)
    assert maintenance.orphaned_objects() == [FILE.key]
    assert plan_count(engine) == 0


@pytest.mark.parametrize("end", ["failed", "cancelled", "used up"])
def test_f116_no_plan_outlives_a_task_without_a_file(engine, lost, plans, runs, end):
    if end == "cancelled":
        TaskRequests(engine).cancel(ANN, lost.task.id)
        stop = ExportCancelled()
        runs.fail(lost, code=stop.code, message=stop.message, retry_in=None)
    elif end == "failed":
        runs.fail(lost, code="x", message="x", retry_in=None)
    else:
        for _ in range(lost.task.max_attempts - 1):
            lost = rescue(engine, lost)
        assert rescue(engine, lost) is None
    assert plan_count(engine) == 0
    assert Maintenance(engine).orphaned_objects() == [FILE.key]


def plan_count(engine) -> int:
    with read_transaction(engine) as connection:
        query = sa.select(sa.func.count()).select_from(shard_plan)
        count: int = connection.execute(query).scalar_one()
        return count


def test_f115_every_session_that_holds_the_snapshot_is_known_by_its_name(lost, plans, shards):
    task_id = lost.task.id
    assert plans.add_holder(task_id, FILE.upload_id, "first", "0-2")
    assert plans.add_holder(task_id, FILE.upload_id, "helper", "0-3")
    assert not plans.add_holder(task_id, "another upload", "helper", "0-4")
    assert not plans.add_holder(uuid4(), FILE.upload_id, "helper", "0-4")
    assert set(shards.claim_own(lost).snapshot.names) == {"0-1", "0-2", "0-3"}
    # A worker has one session for an export.
    assert plans.add_holder(task_id, FILE.upload_id, "first", "0-5")
    plans.drop_holder(task_id, "0-3")
    assert shards.claim_own(lost).snapshot.names == ("0-5", "0-1")


def test_f115_a_task_that_has_its_file_has_no_holders_of_its_snapshot(engine, lost, plans, runs):
    """Not even workers that died; a worker that comes later cannot become one."""
    task_id = lost.task.id
    assert plans.add_holder(task_id, FILE.upload_id, "dead", "0-2")
    assert runs.finish(lost, finished(FILE.key, sha256=tree_digest(["00"])))
    assert not plans.add_holder(task_id, FILE.upload_id, "late", "0-3")
    assert plan_count(engine) == 1
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(snapshot_holder)).all() == []


def test_f115_a_plan_is_live_while_its_task_is(engine, lost, plans):
    task_id = lost.task.id
    [(upload, running)] = [(p.upload_id, p.is_running) for p in plans.live([task_id]).values()]
    assert (upload, running) == (FILE.upload_id, True)
    expire_lease(engine, task_id)
    Maintenance(engine).rescue_expired_leases(timedelta(0))
    assert not plans.live([task_id])[task_id].is_running
    TaskRequests(engine).cancel(ANN, task_id)
    assert plans.live([task_id]) == {}
