"""Any order of claim, heartbeat, rescue, cancel, finish, fail, release, postpone, expiry (G16).

Three users ask for the same file, so their tasks lead and follow each other. A small model says
what each call must answer; hypothesis looks for a sequence where the store disagrees, on both
databases. Old claims are kept and used again on purpose: they are zombies.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.engine import Engine

from tests.support.examples import examples
from tests.support.task_store import Worker, expire_lease, finished, new_task, progress_of
from waybill.exporter.datasets.principal import Principal
from waybill.faults import Fault
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.model import Claim, SingleFlight, TaskConflict
from waybill.infra.tasks.states import LIVE, TRANSITIONS, TaskStatus

#: Examples leave claims behind, and no lease of theirs may end while later ones look.
LEASE = timedelta(hours=1)
MAX_ATTEMPTS = 3
USERS = ("ann", "bob", "cid")


@dataclass(eq=False)
class Expected:
    """What the model says of one user's task."""

    id: UUID
    leader: Expected | None = None
    #: It has lost its flight: nobody joins it, and it joins nobody.
    alone: bool = False
    status: TaskStatus = TaskStatus.PENDING
    attempt: int = 0
    fence: int = 0
    cancelled: bool = False
    highest: int = 0

    @property
    def live(self) -> bool:
        return self.status in LIVE


class TaskMachine(RuleBasedStateMachine):
    engine: Engine
    claims = Bundle("claims")
    users = st.sampled_from(USERS)

    def __init__(self) -> None:
        super().__init__()
        self.requests, self.runs = TaskRequests(self.engine), Worker(self.engine, LEASE)
        self.maintenance = Maintenance(self.engine)
        # Another run is another tenant: rows of the two never meet.
        self.tenant, self.key = secrets.token_hex(8), secrets.token_hex(8)
        #: The latest task of each user, in the order in which they asked.
        self.tasks: dict[str, Expected] = {}

    def person(self, user: str) -> Principal:
        return Principal(user, self.tenant)

    def followers(self, leader: Expected) -> list[Expected]:
        return [task for task in self.tasks.values() if task.live and task.leader is leader]

    def of(self, claim: Claim) -> Expected | None:
        """The task this claim holds, or None: then it is a zombie's."""
        for task in self.tasks.values():
            if task.id == claim.task.id and task.status == TaskStatus.PROCESSING:
                return task if task.fence == claim.fence else None
        return None

    def hand_over(self, leader: Expected) -> None:
        heir, *others = self.followers(leader) or [None]
        if heir is not None:
            heir.leader = None
        for task in others:
            task.leader = heir

    def lose_claim(self, task: Expected, *, retry: bool) -> TaskStatus:
        task.fence += 1
        if task.cancelled:
            task.status = TaskStatus.CANCELLED
        elif not retry or task.attempt >= MAX_ATTEMPTS:
            task.status = TaskStatus.FAILED
        else:
            task.status = TaskStatus.PENDING
        if not task.live:
            self.hand_over(task)
        return task.status

    @rule(user=users)
    def submit(self, user):
        flight = SingleFlight(self.key)
        new = new_task(max_attempts=MAX_ATTEMPTS, single_flight=flight)
        submitted = self.requests.submit(self.person(user), new)
        mine = self.tasks.get(user)
        assert submitted.deduplicated == (mine is not None and mine.live)
        if submitted.deduplicated:
            assert submitted.task.id == mine.id
            return
        leaders = [
            task
            for task in self.tasks.values()
            if task.live and task.leader is None and not task.alone
        ]
        # Asked anew is asked last.
        self.tasks.pop(user, None)
        self.tasks[user] = Expected(submitted.task.id, leader=leaders[0] if leaders else None)

    @rule(target=claims, user=users, worker=st.sampled_from(["one", "two"]))
    def claim(self, user, worker):
        task = self.tasks.get(user)
        if task is None:
            self.submit(user)
            task = self.tasks[user]
        claim = self.runs.claim(task.id, worker)
        allowed = (
            task.status == TaskStatus.PENDING
            and task.attempt < MAX_ATTEMPTS
            and task.leader is None
        )
        assert (claim is not None) == allowed
        if claim is None:
            return Claim(self.requests.get(self.person(user), task.id), -1, worker, uuid4())
        task.status, task.fence = TaskStatus.PROCESSING, task.fence + 1
        task.attempt += 1
        assert (claim.fence, claim.task.attempt) == (task.fence, task.attempt)
        return claim

    @rule(claim=claims)
    def heartbeat(self, claim):
        wanted, task = Pulse.LOST, self.of(claim)
        if task:
            wanted = Pulse.CANCELLED if task.cancelled else Pulse.ALIVE
        assert self.runs.heartbeat(claim, progress_of(1, 2)) is wanted

    @rule(claim=claims, same=st.sampled_from([True, True, False]))
    def finish(self, claim, same):
        """`same`: under the key that the followers joined by."""
        task = self.of(claim)
        allowed = task is not None and not task.cancelled
        key = f"{claim.task.id}-{claim.fence}"
        done = finished(key, flight_key=self.key if same else "another")
        assert self.runs.finish(claim, done) == allowed
        if not allowed:
            return
        followers = self.followers(task)
        task.status = TaskStatus.SUCCESS
        for follower in followers:
            if same:
                follower.status = TaskStatus.SUCCESS
            else:
                follower.leader, follower.alone = None, True

    @rule(claim=claims, retry=st.booleans())
    def fail(self, claim, retry):
        task = self.of(claim)
        wanted = self.lose_claim(task, retry=retry) if task else None
        delay = timedelta(0) if retry else None
        assert self.runs.fail(claim, code="c", message="m", retry_in=delay) == wanted

    @rule(claim=consumes(claims), postponed=st.booleans())
    def release(self, claim, postponed):
        task = self.of(claim)
        assert self.give_back(claim, postponed) == (task is not None)
        if task:
            task.status = TaskStatus.CANCELLED if task.cancelled else TaskStatus.PENDING
            task.fence += 1
            task.attempt -= 1
            if not task.live:
                self.hand_over(task)

    def give_back(self, claim, postponed):
        if not postponed:
            return self.runs.release(claim)
        now = timedelta(0)
        return self.runs.postpone(
            claim, waiting_for=Fault.STORAGE, code="c", message="m", delays=(now, now)
        )

    @rule(user=users)
    def cancel(self, user):
        task = self.tasks.get(user)
        if task is None:
            return
        if task.status not in (*LIVE, TaskStatus.CANCELLED):
            try:
                self.requests.cancel(self.person(user), task.id)
            except TaskConflict:
                return
            raise AssertionError("an ended task was cancelled")
        self.requests.cancel(self.person(user), task.id)
        if task.status == TaskStatus.PENDING:
            task.status, task.fence = TaskStatus.CANCELLED, task.fence + 1
            self.hand_over(task)
        task.cancelled = True

    @rule()
    def sweep_while_alive(self):
        assert self.maintenance.rescue_expired_leases(timedelta(0)) == 0
        assert self.maintenance.promote_orphaned_followers() == 0

    @rule(user=users)
    def worker_falls_silent(self, user):
        task = self.tasks.get(user)
        if task and task.status == TaskStatus.PROCESSING:
            expire_lease(self.engine, task.id)
            assert self.maintenance.rescue_expired_leases(timedelta(0)) == 1
            self.lose_claim(task, retry=True)

    @rule(user=users)
    def retention_ends(self, user):
        task = self.tasks.get(user)
        if task is None:
            return
        with write_transaction(self.engine) as connection:
            connection.execute(
                sa.update(export_task)
                .where(export_task.c.id == task.id, export_task.c.expires_at.is_not(None))
                .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
            )
        self.maintenance.mark_expired(task.id)
        if task.status == TaskStatus.SUCCESS:
            task.status = TaskStatus.EXPIRED

    @invariant()
    def the_rows_are_what_the_model_says(self):
        for user, expected in self.tasks.items():
            task = self.requests.get(self.person(user), expected.id)
            assert (task.status, task.fence, task.attempt) == (
                expected.status,
                expected.fence,
                expected.attempt,
            )
            assert task.fence >= expected.highest
            assert (task.object_key is not None) == (
                task.status in (TaskStatus.SUCCESS, TaskStatus.EXPIRED)
            )
            if expected.live:
                assert task.joined_id == (expected.leader.id if expected.leader else None)
            expected.highest = task.fence

    def teardown(self):
        a = audit_log.c
        with read_transaction(self.engine) as connection:
            edges = connection.execute(
                sa.select(a.from_status, a.to_status).where(
                    a.tenant_id == self.tenant, a.from_status.is_not(None)
                )
            ).all()
        assert {(TaskStatus(a), TaskStatus(b)) for a, b in edges} <= TRANSITIONS
        # The next run's sweeper finds nothing of this one.
        with write_transaction(self.engine) as connection:
            mine = export_task.c.tenant_id == self.tenant
            ended = {"status": TaskStatus.CANCELLED, "lease_expires_at": None}
            connection.execute(sa.update(export_task).where(mine).values(**ended))


def test_g16_no_interleaving_breaks_the_store(engine):
    run_state_machine_as_test(
        type("TaskMachineOnOneEngine", (TaskMachine,), {"engine": engine}),
        settings=settings(
            examples(150),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
