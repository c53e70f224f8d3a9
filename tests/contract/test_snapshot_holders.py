"""Sessions that hold snapshots: one for an export, until its task has ended or waited too long."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.support.shard_plans import FILE, NUMBERS, PLAN
from tests.support.task_store import ANN, LEASE, Worker, expire_lease, new_task
from waybill.infra.sources.errors import SnapshotLost
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.tasks.shards import TaskShards
from waybill.infra.worker.snapshot_holders import PATIENCE_SECONDS, SnapshotHolders


@dataclass
class Session:
    """A session without a database."""

    snapshot: object
    alive: bool = True

    def is_alive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.alive = False


@dataclass
class Desk:
    """A worker that holds the snapshot of one export."""

    engine: object
    claim: object
    now: float = 0.0
    opened: list[Session] = field(default_factory=list)

    def __post_init__(self):
        self.holders = SnapshotHolders(ShardPlans(self.engine), lambda: self.now)

    def hold(self, snapshot):
        session = Session(replace(snapshot, name=f"own-{len(self.opened)}", renamed=()))
        self.opened.append(session)
        return session

    def keep(self):
        return self.holders.keep(self.claim, FILE, PLAN.snapshot, self.hold)

    @property
    def alive(self) -> list[bool]:
        return [session.alive for session in self.opened]

    @property
    def names(self):
        return TaskShards(self.engine, LEASE).claim_own(self.claim).snapshot.names


@pytest.fixture
def desk(engine):
    task = TaskRequests(engine).submit(ANN, new_task()).task
    claim = Worker(engine).claim(task.id, "first")
    assert ShardPlans(engine).begin(claim, FILE, PLAN, NUMBERS)
    desk = Desk(engine, claim)
    yield desk
    desk.holders.close()
    assert not any(desk.alive)


def test_f115_one_session_holds_the_snapshot_of_an_export_and_is_on_record(desk):
    assert desk.keep().name == desk.keep().name == "own-0"
    assert desk.alive == [True]
    assert desk.names == ("own-0", "0-1")


def test_f115_a_session_that_has_ended_is_replaced(desk):
    desk.keep()
    desk.opened[0].alive = False
    assert desk.keep().name == "own-1"
    assert desk.names == ("own-1", "0-1")


def test_f115_a_session_that_ended_by_itself_is_taken_off_the_record(desk):
    desk.keep()
    desk.opened[0].alive = False
    desk.now += 60
    desk.holders.look()
    assert desk.names == ("0-1",)


def test_f115_a_snapshot_is_held_while_its_task_runs_and_for_minutes_after_that(desk):
    desk.keep()
    desk.now += 10 * PATIENCE_SECONDS
    desk.holders.look()
    assert desk.alive == [True]
    expire_lease(desk.engine, desk.claim.task.id)
    Maintenance(desk.engine).rescue_expired_leases(timedelta(hours=1))
    desk.now += PATIENCE_SECONDS
    desk.holders.look()
    assert desk.alive == [True]
    desk.now += 1
    desk.holders.look()
    assert desk.alive == [False]


def test_f115_the_end_of_the_task_ends_the_session(desk):
    desk.keep()
    TaskRequests(desk.engine).cancel(ANN, desk.claim.task.id)
    expire_lease(desk.engine, desk.claim.task.id)
    Maintenance(desk.engine).rescue_expired_leases(timedelta(0))
    desk.holders.look()
    assert desk.alive == [False]


def test_f115_a_session_without_anything_left_to_read_is_ended_at_once(desk):
    desk.keep()
    desk.holders.release(desk.claim.task.id)
    desk.holders.release(desk.claim.task.id)
    assert desk.alive == [False]
    assert desk.names == ("0-1",)


def test_f115_without_its_plan_nothing_is_held(desk):
    ShardPlans(desk.engine).forget(desk.claim)
    desk.keep()
    assert desk.alive == [False]


def test_a_snapshot_that_is_lost_is_said_to_be(desk):
    def lost(_snapshot):
        raise SnapshotLost

    with pytest.raises(SnapshotLost):
        desk.holders.keep(desk.claim, FILE, PLAN.snapshot, lost)
