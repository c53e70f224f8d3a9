"""Runs of due schedules: each slot once, by any number of schedulers, by the database's clock.

A pass claims a batch of due schedules, so that two schedulers rarely work on the same. What makes
a slot run once is one transaction: it locks the schedule, inserts the run of the slot, which a
unique index allows once, submits the task, and moves the schedule to its next slot. A scheduler
that is killed leaves nothing behind but its claim, which ends by itself.

Of several slots that have passed, the newest is run, and no other one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.infra.config.limits import Limits
from waybill.infra.db.batches import free_rows
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import schedule, schedule_run
from waybill.infra.failpoints import failpoint
from waybill.infra.links.share_links import DerivedTokens, add_link
from waybill.infra.schedules.cron import parse_cron
from waybill.infra.schedules.errors import FailedTooOften, SavedExportGone, ScheduleBusy
from waybill.infra.schedules.owners import owner_of
from waybill.infra.schedules.pauses import pause
from waybill.infra.schedules.rows import (
    advance,
    due,
    failures_of,
    live_task,
    lock,
    postpone,
    with_request,
)
from waybill.infra.tasks.audit import SYSTEM, Actor, audit
from waybill.infra.tasks.lifecycle.quotas import NotNow
from waybill.infra.tasks.lifecycle.submission import submit
from waybill.infra.tasks.model import NewTask, Task
from waybill.infra.tasks.notifications import MAIL_LANGUAGE, SHARE_LINK

log = logging.getLogger(__name__)

_schedule = schedule.c
#: Schedules of one pass. Each takes one short transaction.
BATCH = 50
#: How long a scheduler has a schedule to itself. After it another one may take it.
CLAIM = timedelta(seconds=60)
#: Passed slots are counted up to here.
_MOST_COUNTED = 100


class Prepare(Protocol):
    """Makes of a saved request what is stored as a task: rights, parameters, format, file name.

    Raises a `WaybillError` if that is not possible. Relative dates are seen from `moment`.
    """

    def __call__(
        self, owner: Principal, request: Mapping[str, Any], timezone: str, moment: datetime
    ) -> NewTask:
        """The task of `owner`, without its notifications."""
        ...


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Bounds of `ScheduleRuns`."""

    limits: Limits
    max_failures: int
    #: How long an owner may be away; None for ever.
    owner_absence: timedelta | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A run that is ready to be stored, or why it cannot be."""

    row: sa.RowMapping
    slot: datetime
    owner: Principal | None = None
    new: NewTask | None = None
    refusal: WaybillError | None = None


class ScheduleRuns:
    """Runs what is due. Safe in any number of processes, at any pace."""

    def __init__(
        self,
        engine: Engine,
        prepare: Prepare,
        tokens: DerivedTokens,
        settings: RunSettings,
        *,
        clock: Callable[[Connection], datetime] = database_now,
    ) -> None:
        """`tokens` are those of the links that mails contain. `clock` is the database's."""
        self._engine = engine
        self._prepare = prepare
        self._tokens = tokens
        self._settings = settings
        self._clock = clock

    def run_due(self) -> int:
        """One pass: handle up to `BATCH` due schedules; the number of those that were due."""
        claimed = self._claim()
        for row in claimed:
            try:
                failpoint("schedules.claimed")
                self._run(row)
            except SQLAlchemyError:
                # The claim ends by itself.
                log.warning(
                    "a schedule is left to a later pass", extra={"schedule": str(row["id"])}
                )
        return len(claimed)

    def run_now(self, schedule_id: UUID, actor: Actor, owner: Principal | None = None) -> Task:
        """Run it once more, now, beside its times. `owner` is given when the owner asks.

        The caller has checked who may ask.

        Raises:
            SavedExportGone, ScheduleBusy, NotNow, and what `Prepare` and `owner_of` raise.
        """
        with read_transaction(self._engine) as connection:
            now = self._clock(connection)
            row = connection.execute(with_request().where(_schedule.id == schedule_id))
            found = row.mappings().one()
            if owner is None:
                owner = self._owner(connection, now, found)
        new = self._new_task(found, owner, now)
        with write_transaction(self._engine) as connection:
            locked = lock(connection, found)
            if locked is None or live_task(connection, locked["last_task_id"]):
                raise ScheduleBusy()
            now = self._clock(connection)
            task = self._submit(connection, now, locked, _Prepared(found, now, owner, new), actor)
            if task is None:
                raise ScheduleBusy()
            connection.execute(
                sa.update(schedule).where(_schedule.id == schedule_id).values(last_task_id=task.id)
            )
            return task

    def _claim(self) -> list[sa.RowMapping]:
        with read_transaction(self._engine) as connection:
            # Mostly nothing is due, and this query must not wait behind SQLite's writers.
            if connection.execute(due(self._clock(connection)).limit(1)).first() is None:
                return []
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            some = free_rows(due(now).limit(BATCH))
            claimed = connection.execute(
                sa.update(schedule)
                .where(_schedule.id.in_(some))
                .values(due_at=now + CLAIM)
                .returning(_schedule.id)
            )
            ids = claimed.scalars().all()
            query = with_request().where(_schedule.id.in_(ids)).order_by(_schedule.next_slot)
            return list(connection.execute(query).mappings())

    def _run(self, row: sa.RowMapping) -> None:
        prepared = self._prepared(row)
        with write_transaction(self._engine) as connection:
            locked = lock(connection, row)
            if locked is None:
                return
            now = self._clock(connection)
            if prepared.refusal is None and live_task(connection, locked["last_task_id"]):
                self._note(connection, now, locked, prepared, "skipped", ScheduleBusy())
                advance(connection, now, locked, {})
                return
            failures = failures_of(connection, locked)
            if failures >= self._settings.max_failures:
                self._note(connection, now, locked, prepared, "refused", FailedTooOften())
                advance(connection, now, locked, {"failures": failures})
                pause(connection, now, locked, FailedTooOften())
                return
            if prepared.refusal is not None:
                self._refuse(connection, now, locked, prepared, failures)
                return
            try:
                with connection.begin_nested():
                    task = self._submit(connection, now, locked, prepared, SYSTEM)
            except NotNow as error:
                # The slot stays due. Until its turn comes, a later one may take its place.
                postpone(connection, now + error.retry_after, locked)
                return
            ran = {"last_task_id": task.id, "failures": failures} if task else {}
            advance(connection, now, locked, ran)
            failpoint("schedules.before_commit")
        failpoint("schedules.after_commit")

    def _prepared(self, row: sa.RowMapping) -> _Prepared:
        """Everything that asks others than this transaction: it holds no lock."""
        with read_transaction(self._engine) as connection:
            now = self._clock(connection)
            slot = row["next_slot"]
            try:
                slot = max(slot, parse_cron(row["cron"], row["timezone"]).newest(now))
                owner = self._owner(connection, now, row)
            except ExportRejected as refusal:
                return _Prepared(row, slot, refusal=refusal)
        try:
            return _Prepared(row, slot, owner, self._new_task(row, owner, slot))
        except SQLAlchemyError:
            raise
        except WaybillError as refusal:
            return _Prepared(row, slot, owner, refusal=refusal)
        except Exception:
            # A bug, most likely of a dataset. It must not stop the schedules of others.
            log.exception("a schedule cannot be run", extra={"schedule": str(row["id"])})
            return _Prepared(row, slot, owner, refusal=WaybillError())

    def _owner(self, connection: Connection, now: datetime, row: sa.RowMapping) -> Principal:
        return owner_of(
            connection,
            now,
            row["tenant_id"],
            row["created_by"],
            absence=self._settings.owner_absence,
        )

    def _new_task(self, row: sa.RowMapping, owner: Principal, moment: datetime) -> NewTask:
        """The task of a run: with a key of its own, so that each run has its own answer."""
        visible = row["shared"] or row["saved_by"] == row["created_by"]
        if row["saved_export_id"] is None or not visible:
            raise SavedExportGone()
        new = self._prepare(owner, row["request"], row["saved_timezone"], moment)
        notify = row["notify"] or {}
        facts = (new.notify or {}) if MAIL_LANGUAGE in notify else {}
        return replace(new, notify={**facts, **notify, SHARE_LINK: str(uuid4())})

    def _submit(
        self,
        connection: Connection,
        now: datetime,
        locked: sa.RowMapping,
        prepared: _Prepared,
        actor: Actor,
    ) -> Task | None:
        """Store run, task and link; None if the slot has been run before.

        Raises:
            NotNow: the caller rolls back what this did.
        """
        owner, new = prepared.owner, prepared.new
        if owner is None or new is None or new.notify is None:
            raise ValueError("only a run that was prepared can be submitted")
        run_id = UUID(new.notify[SHARE_LINK])
        if not self._note(connection, now, locked, prepared, "submitted", run_id=run_id):
            return None
        task = submit(connection, owner, new, self._settings.limits).task
        connection.execute(
            sa.update(schedule_run).where(schedule_run.c.id == run_id).values(task_id=task.id)
        )
        add_link(connection, now, run_id, task, owner, self._tokens.of(run_id))
        detail = {"schedule": str(locked["id"]), "slot": prepared.slot.isoformat()}
        audit(connection, now, "schedule_run", task.identity, actor=actor, detail=detail)
        return task

    def _refuse(
        self,
        connection: Connection,
        now: datetime,
        locked: sa.RowMapping,
        prepared: _Prepared,
        failures: int,
    ) -> None:
        """Record a run that is not possible. What will not change by itself pauses the schedule."""
        refusal = prepared.refusal or WaybillError()
        self._note(connection, now, locked, prepared, "refused", refusal)
        failures += 1
        advance(connection, now, locked, {"failures": failures, "last_task_id": None})
        if not refusal.retry or failures >= self._settings.max_failures:
            pause(connection, now, locked, refusal)

    def _note(
        self,
        connection: Connection,
        now: datetime,
        locked: sa.RowMapping,
        prepared: _Prepared,
        outcome: str,
        error: WaybillError | None = None,
        *,
        run_id: UUID | None = None,
    ) -> bool:
        """Insert the run of the slot; False if there is one."""
        first, last = locked["next_slot"], prepared.slot
        missed = 0
        if first < last:
            rule = parse_cron(locked["cron"], locked["timezone"])
            missed = rule.count(first, last, most=_MOST_COUNTED)
        values = {
            "id": run_id or uuid4(),
            "schedule_id": locked["id"],
            "slot": last,
            "at": now,
            "outcome": outcome,
            "code": error.code if error else None,
            "message": error.message if error else None,
            "missed": missed,
        }
        statement = insert_ignoring(connection, schedule_run, schedule_run.c.id)
        return connection.execute(statement, values).first() is not None
