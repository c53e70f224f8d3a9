"""Shards of a task: each is written under one claim, and while its attempt lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.shard_plans import DONE, FILE, NUMBERS, PLAN
from tests.support.task_store import ANN, LEASE, Worker, expire_lease, new_task, progress_of
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import export_shard, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.tasks.shards import ReachedShard, TaskShards, WrittenShard


@pytest.fixture
def held(engine):
    """A claim whose export is planned in shards."""
    task = TaskRequests(engine).submit(ANN, new_task()).task
    claim = Worker(engine).claim(task.id, "first")
    assert ShardPlans(engine).begin(claim, FILE, PLAN, NUMBERS)
    return claim


@pytest.fixture
def shards(engine, held):
    return TaskShards(engine, LEASE)


def silence(engine) -> None:
    """Make it look as if the workers that help had been silent for longer than a lease."""
    late = sa.update(export_shard).where(export_shard.c.lease_expires_at.is_not(None))
    with write_transaction(engine) as connection:
        connection.execute(late.values(lease_expires_at=datetime.now(UTC) - timedelta(seconds=1)))


def test_f110_each_shard_is_claimed_once_and_read_back_as_planned(engine, held, shards):
    claims = [
        shards.claim_next("orders", "second"),
        shards.claim_own(held),
        shards.claim_next("orders", "third"),
    ]
    assert [claim.shard for claim in claims] == PLAN.shards
    assert [claim.parts for claim in claims] == NUMBERS
    assert all(claim.snapshot == PLAN.snapshot and claim.file == FILE for claim in claims)
    assert shards.claim_next("orders", "fourth") is None
    assert shards.claim_own(held) is None
    with read_transaction(engine) as connection:
        kinds = connection.execute(sa.select(outbox.c.kind).order_by(outbox.c.id)).scalars().all()
    assert kinds == ["run", "shard-1", "shard-2"]


def test_f110_all_shards_are_written_or_the_file_is_not(held, shards):
    claims = [shards.claim_own(held) for _ in range(3)]
    for claim in claims:
        assert shards.written(held) is None
        assert shards.finish(claim, DONE, progress_of(10, 10))
    assert shards.written(held) == [DONE] * 3
    assert shards.progress(held.task.id).rows_done == 30


def test_f110_a_silent_helper_loses_its_shard_and_writes_nothing_more(engine, held, shards):
    silent = shards.claim_next("orders", "second")
    assert shards.heartbeat(silent, progress_of(1, 10)) is Pulse.ALIVE
    silence(engine)
    successor = shards.claim_own(held)
    assert successor.shard == silent.shard
    assert shards.heartbeat(silent, progress_of(5, 10)) is Pulse.LOST
    assert not shards.finish(silent, WrittenShard([], {}), progress_of(10, 10))
    assert not shards.release(silent)
    assert shards.finish(successor, DONE, progress_of(10, 10))


@pytest.mark.parametrize("end", ["cancelled", "lost"])
def test_f110_no_shard_outlives_its_attempt(engine, held, shards, end):
    helper = shards.claim_next("orders", "second")
    if end == "cancelled":
        TaskRequests(engine).cancel(ANN, held.task.id)
    else:
        expire_lease(engine, held.task.id)
        Maintenance(engine).rescue_expired_leases(timedelta(0))
    assert shards.heartbeat(helper, progress_of(1, 10)) is Pulse.LOST
    assert not shards.finish(helper, DONE, progress_of(10, 10))
    assert shards.claim_next("orders", "third") is None
    assert shards.claim_own(held) is None


def test_f110_a_new_attempt_has_shards_of_its_own(engine, held, shards):
    old = shards.claim_next("orders", "second")
    expire_lease(engine, held.task.id)
    Maintenance(engine).rescue_expired_leases(timedelta(0))
    again = Worker(engine).claim(held.task.id, "second")
    plans = ShardPlans(engine)
    assert not plans.begin(held, FILE, PLAN, NUMBERS)
    assert plans.begin(again, FILE, PLAN, NUMBERS)
    assert not shards.finish(old, DONE, progress_of(10, 10))
    assert shards.claim_next("orders", "third").fence == again.fence
    assert plans.forget(held) is None
    assert plans.forget(again) == FILE.key
    assert shards.claim_own(again) is None
    assert shards.progress(again.task.id).shards == 0


def test_f110_what_fails_in_others_is_left_to_the_worker_that_has_the_task(held, shards):
    for worker in ("second", "third"):
        claim = shards.claim_next("orders", worker)
        assert claim.shard.number == 0
        assert shards.release(claim)
    assert shards.claim_next("orders", "fourth").shard.number == 1
    assert shards.claim_own(held).shard.number == 0


REACHED = ReachedShard(4, [{"number": 1, "size_bytes": 70}], {"key": "4", "mark": {}})


def test_f133_the_next_claim_of_a_shard_goes_on_where_the_last_one_was(engine, held, shards):
    silent = shards.claim_next("orders", "second")
    assert silent.reached is None
    assert shards.record(silent, REACHED)
    assert shards.heartbeat(silent, progress_of(7, 10)) is Pulse.ALIVE
    silence(engine)
    successor = shards.claim_own(held)
    assert (successor.shard, successor.reached) == (silent.shard, REACHED)
    # Progress is that of the record, and not of row 0.
    together = shards.progress(held.task.id)
    assert (together.rows_done, together.bytes_uploaded) == (4, 70)
    further = ReachedShard(6, [*REACHED.parts, {"number": 2, "size_bytes": 70}], {"key": "6"})
    assert not shards.record(silent, further)
    assert shards.record(successor, further)
    assert shards.release(successor)
    assert shards.claim_own(held).reached == further


def test_f133_what_is_in_doubt_is_written_again_from_the_first_row(held, shards):
    claim = shards.claim_next("orders", "second")
    assert shards.record(claim, REACHED)
    assert shards.release(claim, keep=False)
    again = shards.claim_own(held)
    assert (again.shard, again.reached) == (claim.shard, None)
    assert shards.progress(held.task.id).rows_done == 0


def test_f133_the_next_attempt_takes_over_how_far_shards_are(engine, held, shards):
    assert shards.record(shards.claim_own(held), REACHED)
    expire_lease(engine, held.task.id)
    Maintenance(engine).rescue_expired_leases(timedelta(0))
    again = Worker(engine).claim(held.task.id, "second")
    plans = ShardPlans(engine)
    left = plans.left(again)
    assert (left.done, left.rows_done) == (0, 4)
    assert plans.adopt(again, left, left.snapshot)
    assert shards.progress(held.task.id).rows_done == 4
    assert shards.claim_own(again).reached == REACHED
