"""Storing a request for an export: one new task, or the one that answers it already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.audit import audit, insert_ignoring, wake
from waybill.infra.tasks.lifecycle.completion import after_end
from waybill.infra.tasks.lifecycle.quotas import NotNow, measure
from waybill.infra.tasks.lifecycle.single_flight import board, facts_of, fresh_file
from waybill.infra.tasks.model import IdempotencyMismatch, NewTask, Task, TaskConflict
from waybill.infra.tasks.queries.owned import owned_by
from waybill.infra.tasks.states import LIVE, TaskStatus

_t = export_task.c

#: What a new row holds where nothing is given: to read it back takes longer than to write it.
_UNTOUCHED: dict[str, Any] = {
    column.name: None if column.server_default is None else 0 for column in _t
}


@dataclass(frozen=True, slots=True)
class Submitted:
    """The task that answers a request, and whether it was there before."""

    task: Task
    deduplicated: bool


def submit(
    connection: Connection, user: Principal, new: NewTask, limits: Limits | None = None
) -> Submitted:
    """Insert a task with its audit row and its wake-up, or find what answers without a run.

    In this order: the task of the same idempotency key, the user's own live twin, a fresh
    file of an equal request, the run of an equal request. `limits` refuse what would be new.

    Raises:
        IdempotencyMismatch: the key was used before with another request.
        NotNow: a quota is used up, or too much waits for the broker.
    """
    limits, digest = limits or Limits.only(), _digest(new)
    reusing = new.flight is not None and new.flight.reuse_for > timedelta(0)
    # What blocked an insert may end before it is found; then the next round inserts.
    for _ in range(4):
        measured = measure(connection, user, limits)
        request = _Request(connection, measured.now, user, new, digest)
        if reusing:
            if twin := request.twin():
                return Submitted(twin, deduplicated=True)
            if answer := request.reuse(measured.spent(limits)):
                return answer
        refusal = measured.refusal(limits)
        if not refusal and (created := request.lead()):
            return Submitted(created, deduplicated=False)
        if twin := request.twin():
            return Submitted(twin, deduplicated=True)
        if refusal:
            raise refusal
        if created := request.join():
            return Submitted(created, deduplicated=False)
    raise TaskConflict("The same export is starting and finishing just now; ask again.")


@dataclass(frozen=True, slots=True)
class _Request:
    """One request in its transaction, and the ways to answer it; None: not this way."""

    connection: Connection
    now: datetime
    user: Principal
    new: NewTask
    digest: str

    def twin(self) -> Task | None:
        return _find_twin(self.connection, self.user, self.new, self.digest)

    def lead(self) -> Task | None:
        """A task of its own, that a worker will claim."""
        row = self._insert("submit", status=TaskStatus.PENDING)
        if row is None:
            return None
        wake(self.connection, self.now, row["id"], kind="run", fence=0, queue=row["queue"])
        return Task.from_row(row)

    def join(self) -> Task | None:
        """A task that waits for the file of a running one."""
        flight = self.new.flight
        leader = board(self.connection, self.user, flight) if flight else None
        if leader is None:
            return None
        row = self._insert("join", status=TaskStatus.PENDING, joined_id=leader)
        return Task.from_row(row) if row else None

    def reuse(self, spent: NotNow | None) -> Submitted | None:
        """The user's own finished task, or a new one that is finished at once."""
        flight = self.new.flight
        source = flight and fresh_file(self.connection, self.now, self.user, flight, self.digest)
        if not source:
            return None
        if (source["created_by"], source["request_hash"]) == (self.user.user, self.digest):
            return Submitted(Task.from_row(source), deduplicated=True)
        if spent:
            raise spent
        row = self._insert(
            "reuse",
            status=TaskStatus.SUCCESS,
            joined_id=source["id"],
            finished_at=self.now,
            **facts_of(source, self.new.filename),
        )
        if row is None:
            return None
        after_end(self.connection, self.now, row)
        return Submitted(Task.from_row(row), deduplicated=False)

    def _insert(self, action: str, **state: Any) -> dict[str, Any] | None:
        new, user = self.new, self.user
        values = {
            "id": uuid4(),
            "tenant_id": user.tenant,
            "created_by": user.user,
            "roles": sorted(user.roles),
            "task_type": new.task_type,
            "queue": new.queue,
            "format": new.format,
            "params": dict(new.params),
            "filename": new.filename,
            "parent_id": new.parent_id,
            "dedupe_key": self.digest,
            "idempotency_key": new.idempotency_key,
            "request_hash": self.digest,
            "flight_key": new.flight.key if new.flight else None,
            "max_attempts": new.max_attempts,
            "notify": dict(new.notify) if new.notify else None,
            "version": 1,
            "created_at": self.now,
            "updated_at": self.now,
        }
        statement = insert_ignoring(self.connection, export_task, _t.id)
        if self.connection.execute(statement, values | state).one_or_none() is None:
            return None
        row = _UNTOUCHED | values | state
        edge = (None, TaskStatus(row["status"]))
        detail = {"shares": str(row["joined_id"])} if row["joined_id"] else None
        who = user.user
        audit(self.connection, self.now, action, row, actor=who, change=edge, detail=detail)
        return row


def _find_twin(connection: Connection, user: Principal, new: NewTask, digest: str) -> Task | None:
    mine = sa.select(export_task).where(owned_by(user))
    if new.idempotency_key:
        same_key = mine.where(_t.idempotency_key == new.idempotency_key)
        if row := connection.execute(same_key).mappings().one_or_none():
            if row["request_hash"] != digest:
                raise IdempotencyMismatch()
            return Task.from_row(row)
    same_work = mine.where(_t.task_type == new.task_type, _t.dedupe_key == digest, in_status(*LIVE))
    row = connection.execute(same_work).mappings().one_or_none()
    return Task.from_row(row) if row else None


def _digest(new: NewTask) -> str:
    """SHA-256 over everything that was asked for, being told included."""
    notify = [dict(new.notify)] if new.notify else []
    canonical = json.dumps(
        [new.task_type, new.format, dict(new.params), new.asked_filename, *notify],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
