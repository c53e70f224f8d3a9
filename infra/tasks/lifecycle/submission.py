"""Submission of a request: one new task, or an existing one that answers it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PasswordNeeded
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.metrics.catalogue import EXPORTS_ACCEPTED
from waybill.infra.metrics.recording import count
from waybill.infra.tasks.file_keys import has_password, store_keys
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.quotas import NotNow, charge, measure
from waybill.infra.tasks.lifecycle.single_flight import fresh_file, join_leader
from waybill.infra.tasks.model import IdempotencyMismatch, NewTask, Task, TaskConflict
from waybill.infra.tasks.queries.owned import owned_by
from waybill.infra.tasks.queries.searching import search_text
from waybill.infra.tasks.states import LIVE
from waybill.infra.tracing.spans import current_traceparent

_task = export_task.c


@dataclass(frozen=True, slots=True)
class Submitted:
    """The task that answers a request, and whether it existed before."""

    task: Task
    deduplicated: bool
    #: The password that was made for its file. Nobody can tell it again.
    password: str | None = field(default=None, repr=False)


def submit(
    connection: Connection, user: Principal, new: NewTask, limits: Limits | None = None
) -> Submitted:
    """Insert a task with its audit row and its wake-up, or return one that answers already.

    In this order: the task of the same idempotency key, the user's own live twin, a fresh
    file of an equal request, the run of an equal request. `limits` may refuse a new task: then the
    transaction has to be rolled back. Only a new task counts against the rates.

    Raises:
        IdempotencyMismatch: the key was used before with another request.
        PasswordNeeded: the file of the task that is repeated had a password.
        NotNow: a quota is used up, new tasks come too fast, or too much waits for the broker.
    """
    if has_password(new.options) != (new.password is not None):
        raise PasswordNeeded()
    limits = limits or Limits.only()
    answer = _answer(connection, user, new, limits)
    if not answer.deduplicated:
        charge(connection, user, limits)
    _count_when_committed(connection, answer)
    return answer


def _count_when_committed(connection: Connection, answer: Submitted) -> None:
    if answer.deduplicated:
        result = "repeated"
    elif answer.task.joined_id is None:
        result = "queued"
    else:
        result = "reused" if answer.task.finished_at else "joined"
    dataset = answer.task.task_type

    def record(_connection: Connection) -> None:
        count(EXPORTS_ACCEPTED, dataset=dataset, result=result)

    sa.event.listen(connection, "commit", record, once=True)


def _answer(connection: Connection, user: Principal, new: NewTask, limits: Limits) -> Submitted:
    digest = _digest(user, new)
    reusing = _may_reuse(new)
    # The task that blocked an insert may end before it is found; then the next round inserts.
    for _ in range(4):
        measured = measure(connection, user, limits)
        request = _Request(connection, measured.now, user, new, digest)
        if reusing:
            if twin := request.twin():
                return Submitted(twin, deduplicated=True)
            if answer := request.reuse(measured.spent(limits) or measured.too_fast(user, limits)):
                return answer
        refusal = measured.refusal(user, limits)
        if not refusal and (created := request.lead()):
            made = new.password.made if new.password else None
            return Submitted(created, deduplicated=False, password=made)
        if twin := request.twin():
            return Submitted(twin, deduplicated=True)
        if refusal:
            raise refusal
        if created := request.join():
            return Submitted(created, deduplicated=False)
    raise TaskConflict("The same export is starting and finishing just now; ask again.")


def reusable(connection: Connection, user: Principal, new: NewTask) -> Task | None:
    """The finished task whose file `submit` would give for `new`, if there is one."""
    if not _may_reuse(new):
        return None
    request = _Request(connection, database_now(connection), user, new, _digest(user, new))
    source = request.fresh_file()
    return Task.from_row(source) if source else None


def _may_reuse(new: NewTask) -> bool:
    return new.single_flight is not None and new.single_flight.reuse_for > timedelta(0)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request in its transaction, and the ways to answer it; None: not in this way."""

    connection: Connection
    now: datetime
    user: Principal
    new: NewTask
    digest: str

    def twin(self) -> Task | None:
        """The task of the same idempotency key, or the user's live task with equal content."""
        return _find_twin(self.connection, self.user, self.new, self.digest)

    def lead(self) -> Task | None:
        """A task with a run of its own; None when it has a twin or an equal one leads."""
        values, asked = self._values(), self.new.approval
        row = (
            transitions.submit(self.connection, self.now, values)
            if asked is None
            else transitions.ask(self.connection, self.now, values, asked)
        )
        if row is not None and self.new.password is not None:
            store_keys(self.connection, row["id"], self.new.password.seal(row["id"]))
        return Task.from_row(row) if row else None

    def join(self) -> Task | None:
        """A task that waits for the file of an equal one; None when none runs."""
        shared = self.new.single_flight
        if shared is None:
            return None
        leader = join_leader(self.connection, self.user.tenant, shared.key)
        if leader is None:
            return None
        row = transitions.join(self.connection, self.now, self._values(), leader)
        return Task.from_row(row) if row else None

    def reuse(self, refusal: NotNow | None) -> Submitted | None:
        """The user's own finished task, or a new one that is finished at once.

        Raises:
            NotNow: `refusal`, when there is a file but a quota or rate is used up.
        """
        source = self.fresh_file()
        if not source:
            return None
        if (source["created_by"], source["request_hash"]) == (self.user.user, self.digest):
            return Submitted(Task.from_row(source), deduplicated=True)
        if refusal:
            raise refusal
        row = transitions.reuse(self.connection, self.now, self._values(), source)
        return Submitted(Task.from_row(row), deduplicated=False) if row else None

    def fresh_file(self) -> sa.RowMapping | None:
        """The finished task whose file is young enough to reuse."""
        shared = self.new.single_flight
        if shared is None:
            return None
        return fresh_file(self.connection, self.now, self.user, shared, self.digest)

    def _values(self) -> dict[str, Any]:
        new, user = self.new, self.user
        return {
            "id": uuid4(),
            "tenant_id": user.tenant,
            "created_by": user.user,
            "roles": sorted(user.roles),
            "attributes": dict(user.attributes) or None,
            "task_type": new.task_type,
            "queue": new.queue,
            "format": new.format,
            "params": dict(new.params),
            "filename": new.filename,
            "filename_pattern": (
                new.asked_filename if new.filename_pattern is None else new.filename_pattern
            ),
            "search_text": search_text(new.filename, new.params),
            "parent_id": new.parent_id,
            "traceparent": current_traceparent(),
            # The password of another file would not open this one.
            "dedupe_key": self.digest if new.password is None else None,
            "idempotency_key": new.idempotency_key,
            "request_hash": self.digest,
            "flight_key": new.single_flight.key if new.single_flight else None,
            "max_attempts": new.max_attempts,
            "notify": dict(new.notify) if new.notify else None,
            "options": dict(new.options) if new.options else None,
            "version": 1,
            "created_at": self.now,
            "updated_at": self.now,
        }


def _find_twin(connection: Connection, user: Principal, new: NewTask, digest: str) -> Task | None:
    mine = sa.select(export_task).where(owned_by(user))
    if new.idempotency_key:
        same_key = mine.where(_task.idempotency_key == new.idempotency_key)
        if row := connection.execute(same_key).mappings().one_or_none():
            if row["request_hash"] != digest:
                raise IdempotencyMismatch()
            return Task.from_row(row)
    same_work = mine.where(
        _task.task_type == new.task_type, _task.dedupe_key == digest, in_status(*LIVE)
    )
    row = connection.execute(same_work).mappings().one_or_none()
    return Task.from_row(row) if row else None


def _digest(user: Principal, new: NewTask) -> str:
    """SHA-256 over everything that was requested, notifications and options included.

    So are the attributes of its owner: rows depend on them.
    """
    more: list[dict[str, Any]] = [dict(new.notify)] if new.notify else []
    # With its name, so that it is never taken for the targets of a notification.
    more += [{"options": dict(new.options)}] if new.options else []
    more += [{"attributes": dict(user.attributes)}] if user.attributes else []
    canonical = json.dumps(
        [new.task_type, new.format, dict(new.params), new.asked_filename, *more],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
