"""Any interleaving of claim, heartbeat, rescue, cancel, finish, fail, release and expiry (G16).

A small model says what each call must answer; hypothesis looks for a sequence where the store
disagrees, on both databases. Old claims are kept and used again on purpose: they are zombies.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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

from exporter.tasks import LIVE, TRANSITIONS, TaskStatus
from infra.database import reading, writing
from infra.tasks.model import Claim, TaskConflict
from infra.tasks.requests import TaskRequests
from infra.tasks.runs import Pulse, TaskRuns
from infra.tasks.schema import audit_log, export_task
from infra.tasks.upkeep import Upkeep
from tests.contract.task_store import ANN, LEASE, expire_lease, finished, new_task, reading_of

MAX_ATTEMPTS = 3


class TaskMachine(RuleBasedStateMachine):
    engine: Engine
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.requests, self.runs = TaskRequests(self.engine), TaskRuns(self.engine, LEASE)
        self.upkeep = Upkeep(self.engine)
        # One task is enough: rows of different tasks never meet in a WHERE clause.
        new = new_task(max_attempts=MAX_ATTEMPTS, params={"run": str(datetime.now(UTC))})
        self.id = self.requests.submit(ANN, new).task.id
        self.status, self.attempt, self.fence = TaskStatus.PENDING, 0, 0
        self.cancelled = self.due = False
        self.highest = 0

    def holds(self, claim: Claim) -> bool:
        return self.status == TaskStatus.PROCESSING and claim.fence == self.fence

    def lose_claim(self, *, retry: bool) -> TaskStatus:
        self.fence += 1
        if self.cancelled:
            self.status = TaskStatus.CANCELLED
        elif not retry or self.attempt >= MAX_ATTEMPTS:
            self.status = TaskStatus.FAILED
        else:
            self.status = TaskStatus.PENDING
        return self.status

    @rule(target=claims, worker=st.sampled_from(["one", "two"]))
    def claim(self, worker):
        claim = self.runs.claim(self.id, worker)
        allowed = self.status == TaskStatus.PENDING and self.attempt < MAX_ATTEMPTS
        assert (claim is not None) == allowed
        if claim is None:
            return Claim(self.requests.get(ANN, self.id), -1, worker)
        self.status, self.fence = TaskStatus.PROCESSING, self.fence + 1
        self.attempt += 1
        assert (claim.fence, claim.task.attempt) == (self.fence, self.attempt)
        return claim

    @rule(claim=claims)
    def heartbeat(self, claim):
        wanted = Pulse.LOST
        if self.holds(claim):
            wanted = Pulse.CANCELLED if self.cancelled else Pulse.ALIVE
        assert self.runs.heartbeat(claim, reading_of(1, 2)) is wanted

    @rule(claim=claims)
    def finish(self, claim):
        allowed = self.holds(claim) and not self.cancelled
        assert self.runs.finish(claim, finished(f"key-{claim.fence}")) == allowed
        if allowed:
            self.status = TaskStatus.SUCCESS

    @rule(claim=claims, retry=st.booleans())
    def fail(self, claim, retry):
        wanted = self.lose_claim(retry=retry) if self.holds(claim) else None
        delay = timedelta(0) if retry else None
        assert self.runs.fail(claim, code="c", message="m", retry_in=delay) == wanted

    @rule(claim=consumes(claims))
    def release(self, claim):
        held = self.holds(claim)
        assert self.runs.release(claim) == held
        if held:
            back = TaskStatus.CANCELLED if self.cancelled else TaskStatus.PENDING
            self.status, self.fence = back, self.fence + 1
            self.attempt -= 1

    @rule()
    def cancel(self):
        if self.status not in (*LIVE, TaskStatus.CANCELLED):
            try:
                self.requests.cancel(ANN, self.id)
            except TaskConflict:
                return
            raise AssertionError("an ended task was cancelled")
        self.requests.cancel(ANN, self.id)
        if self.status == TaskStatus.PENDING:
            self.status, self.fence = TaskStatus.CANCELLED, self.fence + 1
        self.cancelled = True

    @rule()
    def sweep_while_alive(self):
        assert self.upkeep.rescue_expired_leases(timedelta(0)) == 0

    @rule()
    def worker_falls_silent(self):
        if self.status == TaskStatus.PROCESSING:
            expire_lease(self.engine, self.id)
            assert self.upkeep.rescue_expired_leases(timedelta(0)) == 1
            self.lose_claim(retry=True)

    @rule()
    def retention_ends(self):
        with writing(self.engine) as connection:
            connection.execute(
                sa.update(export_task)
                .where(export_task.c.id == self.id, export_task.c.expires_at.is_not(None))
                .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
            )
        self.upkeep.mark_expired(self.id)
        if self.status == TaskStatus.SUCCESS:
            self.status = TaskStatus.EXPIRED

    @invariant()
    def the_row_is_what_the_model_says(self):
        task = self.requests.get(ANN, self.id)
        assert (task.status, task.fence, task.attempt) == (
            self.status,
            self.fence,
            self.attempt,
        )
        assert task.fence >= self.highest
        assert (task.object_key is not None) == (
            task.status in (TaskStatus.SUCCESS, TaskStatus.EXPIRED)
        )
        self.highest = task.fence

    def teardown(self):
        with reading(self.engine) as connection:
            edges = connection.execute(
                sa.select(audit_log.c.from_status, audit_log.c.to_status).where(
                    audit_log.c.task_id == self.id, audit_log.c.from_status.is_not(None)
                )
            ).all()
        assert {(TaskStatus(a), TaskStatus(b)) for a, b in edges} <= TRANSITIONS


def test_g16_no_interleaving_breaks_the_store(engine):
    run_state_machine_as_test(
        type("TaskMachineOnOneEngine", (TaskMachine,), {"engine": engine}),
        settings=settings(
            max_examples=150,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
