"""Schedules: when a saved export runs again, for whom, and whom it tells.

A schedule belongs to who made it, and runs with the rights of that person. Its owner changes it;
an admin of the tenant sees it, and may pause, resume and delete it. Operators use the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import InvalidRequest, PermissionDenied
from waybill.infra.db.engine import (
    advisory_lock,
    database_now,
    read_transaction,
    write_transaction,
)
from waybill.infra.db.tables import saved_export, schedule
from waybill.infra.schedules.cron import Cron, parse_cron
from waybill.infra.schedules.errors import (
    ChangedMeanwhile,
    SavedExportGone,
    ScheduleNotFound,
    TooManySchedules,
)
from waybill.infra.schedules.last_runs import LastRun, last_runs
from waybill.infra.schedules.owners import record_owner
from waybill.infra.schedules.pauses import delete_schedules
from waybill.infra.schedules.saved_exports import Viewer, load_saved
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.queries.scope import Scope

_schedule = schedule.c


@dataclass(frozen=True, slots=True)
class Schedule:
    """One row of ``schedule``, with the name of its saved export."""

    id: UUID
    saved_export_id: UUID | None
    saved_export_name: str | None
    tenant_id: str
    created_by: str
    cron: str
    timezone: str
    notify: dict[str, str] | None = field(repr=False)
    next_slot: datetime
    paused_at: datetime | None
    paused_code: str | None
    failures: int
    version: int
    created_at: datetime
    updated_at: datetime
    last_run: LastRun | None = None

    @property
    def rule(self) -> Cron:
        """Its times."""
        return parse_cron(self.cron, self.timezone)


class Schedules:
    """The schedules, for the API and the command line. Every change is audited."""

    def __init__(self, engine: Engine, *, most_per_user: int, min_interval: timedelta) -> None:
        self._engine = engine
        self._most_per_user = most_per_user
        self._min_interval = min_interval

    def checked_rule(self, cron: str, timezone: str, now: datetime) -> Cron:
        """The times of a new schedule.

        Raises:
            InvalidRequest: wrong, or closer together than allowed.
        """
        rule = parse_cron(cron, timezone)
        if rule.closest(now) < self._min_interval:
            minutes = self._min_interval / timedelta(minutes=1)
            raise InvalidRequest(
                f"Two runs have to be at least {minutes:g} minutes apart.", field="cron"
            )
        return rule

    def create(
        self,
        viewer: Viewer,
        saved_id: UUID,
        *,
        cron: str,
        timezone: str,
        notify: Mapping[str, str],
    ) -> Schedule:
        """A new schedule of `viewer`'s on a saved export that they see.

        `notify` are checked targets, as a task stores them.

        Raises:
            SavedExportNotFound, InvalidRequest, TooManySchedules.
        """
        user = viewer.user
        with write_transaction(self._engine) as connection:
            advisory_lock(connection, "schedules", user.tenant, user.user)
            now = database_now(connection)
            rule = self.checked_rule(cron, timezone, now)
            load_saved(connection, viewer, saved_id)
            mine = (_schedule.tenant_id == user.tenant, _schedule.created_by == user.user)
            count = sa.select(sa.func.count()).select_from(schedule).where(*mine)
            if connection.execute(count).scalar_one() >= self._most_per_user:
                raise TooManySchedules()
            slot = rule.after(now)
            values = {
                "id": uuid4(),
                "saved_export_id": saved_id,
                "tenant_id": user.tenant,
                "created_by": user.user,
                "cron": rule.expression,
                "timezone": timezone,
                "notify": dict(notify) or None,
                "next_slot": slot,
                "due_at": slot,
                "created_at": now,
                "updated_at": now,
            }
            connection.execute(sa.insert(schedule).values(**values))
            record_owner(connection, now, user)
            _audit(connection, now, "schedule_created", Actor.user(user), values)
            return _load(connection, [_schedule.id == values["id"]])

    def visible(
        self, viewer: Viewer, *, before: UUID | None = None, limit: int = 100
    ) -> list[Schedule]:
        """`viewer`'s schedules, an admin's tenant's, newest first."""
        return self._page([_visible(viewer)], before, limit)

    def in_scope(
        self, scope: Scope, *, before: UUID | None = None, limit: int = 100
    ) -> list[Schedule]:
        """The schedules of the tenants in `scope`, newest first."""
        return self._page(scope.limits(_schedule.tenant_id), before, limit)

    def get(self, viewer: Viewer, schedule_id: UUID) -> Schedule:
        """One that `viewer` sees, or `ScheduleNotFound`."""
        return self._get([_visible(viewer), _schedule.id == schedule_id])

    def find(self, scope: Scope, schedule_id: UUID) -> Schedule:
        """One of the tenants in `scope`, or `ScheduleNotFound`."""
        return self._get([*scope.limits(_schedule.tenant_id), _schedule.id == schedule_id])

    def update(
        self,
        viewer: Viewer,
        schedule_id: UUID,
        changes: Mapping[str, Any],
        *,
        versions: Collection[int] | None = None,
    ) -> Schedule:
        """Change `saved_export_id`, `cron`, `timezone` or `notify`. Only its owner may.

        A new time counts from now on. A paused schedule stays paused.

        Raises:
            ScheduleNotFound, PermissionDenied, ChangedMeanwhile, SavedExportNotFound,
            InvalidRequest.
        """
        with write_transaction(self._engine) as connection:
            known = _load(
                connection, [_visible(viewer), _schedule.id == schedule_id], for_update=True
            )
            if known.created_by != viewer.user.user:
                raise PermissionDenied("Only its owner may change a schedule.")
            _check_version(known, versions)
            now = database_now(connection)
            values = dict(changes)
            if "saved_export_id" in values:
                load_saved(connection, viewer, values["saved_export_id"])
            if "notify" in values:
                values["notify"] = dict(values["notify"]) or None
            if {"cron", "timezone"} & values.keys():
                zone = values.get("timezone", known.timezone)
                rule = self.checked_rule(values.get("cron", known.cron), zone, now)
                slot = rule.after(now)
                values |= {"cron": rule.expression, "next_slot": slot, "due_at": slot}
            _change(connection, now, known, values)
            record_owner(connection, now, viewer.user)
            actor, detail = Actor.user(viewer.user), {"changed": sorted(changes)}
            _audit(connection, now, "schedule_changed", actor, _ids(known), detail)
            return _load(connection, [_schedule.id == known.id])

    def pause(self, schedule_id: UUID, where: Viewer | Scope, actor: Actor) -> Schedule:
        """Pause it. Doing so again changes nothing.

        Raises:
            ScheduleNotFound.
        """
        with write_transaction(self._engine) as connection:
            known = _load(
                connection, [*_which(where), _schedule.id == schedule_id], for_update=True
            )
            if known.paused_at is None:
                now = database_now(connection)
                _change(connection, now, known, {"paused_at": now, "paused_code": None})
                _audit(connection, now, "schedule_paused", actor, _ids(known))
            return _load(connection, [_schedule.id == known.id])

    def resume(self, schedule_id: UUID, where: Viewer | Scope, actor: Actor) -> Schedule:
        """Go on with the next time; what was missed while it was paused is not caught up.

        Raises:
            ScheduleNotFound, SavedExportGone: there is nothing to run.
        """
        with write_transaction(self._engine) as connection:
            known = _load(
                connection, [*_which(where), _schedule.id == schedule_id], for_update=True
            )
            if known.paused_at is not None:
                if known.saved_export_id is None:
                    raise SavedExportGone()
                now = database_now(connection)
                slot = known.rule.after(now)
                values = {
                    "paused_at": None,
                    "paused_code": None,
                    "failures": 0,
                    "last_task_id": None,
                    "next_slot": slot,
                    "due_at": slot,
                }
                _change(connection, now, known, values)
                if isinstance(where, Viewer) and where.user.user == known.created_by:
                    record_owner(connection, now, where.user)
                _audit(connection, now, "schedule_resumed", actor, _ids(known))
            return _load(connection, [_schedule.id == known.id])

    def delete(
        self,
        schedule_id: UUID,
        where: Viewer | Scope,
        actor: Actor,
        *,
        versions: Collection[int] | None = None,
    ) -> None:
        """Delete it with the record of its runs. Their tasks and files stay.

        Raises:
            ScheduleNotFound, ChangedMeanwhile.
        """
        with write_transaction(self._engine) as connection:
            known = _load(
                connection, [*_which(where), _schedule.id == schedule_id], for_update=True
            )
            _check_version(known, versions)
            delete_schedules(connection, database_now(connection), [_ids(known)], actor)

    def _get(self, conditions: list[sa.ColumnElement[bool]]) -> Schedule:
        with read_transaction(self._engine) as connection:
            return _load(connection, conditions)

    def _page(
        self, conditions: list[sa.ColumnElement[bool]], before: UUID | None, limit: int
    ) -> list[Schedule]:
        with read_transaction(self._engine) as connection:
            if before is not None:
                place = sa.select(_schedule.created_at, _schedule.id)
                position = connection.execute(
                    place.where(*conditions, _schedule.id == before)
                ).one_or_none()
                if position is None:
                    return []
                conditions = [
                    *conditions,
                    sa.tuple_(_schedule.created_at, _schedule.id) < sa.tuple_(*position),
                ]
            query = _joined().where(sa.true(), *conditions)
            newest = query.order_by(_schedule.created_at.desc(), _schedule.id.desc())
            return _read(connection, newest.limit(limit))


def _visible(viewer: Viewer) -> sa.ColumnElement[bool]:
    user = viewer.user
    own = sa.true() if viewer.is_admin else _schedule.created_by == user.user
    return sa.and_(_schedule.tenant_id == user.tenant, own)


def _which(where: Viewer | Scope) -> list[sa.ColumnElement[bool]]:
    if isinstance(where, Viewer):
        return [_visible(where)]
    return where.limits(_schedule.tenant_id)


def _joined() -> sa.Select[Any]:
    return sa.select(schedule, saved_export.c.name.label("saved_export_name")).select_from(
        schedule.outerjoin(saved_export, saved_export.c.id == _schedule.saved_export_id)
    )


def _load(
    connection: Connection,
    conditions: Collection[sa.ColumnElement[bool]],
    *,
    for_update: bool = False,
) -> Schedule:
    if for_update:
        # Apart from the query with its join, whose empty side cannot be locked.
        lock = sa.select(_schedule.id).where(*conditions).with_for_update()
        connection.execute(lock).all()
    found = _read(connection, _joined().where(*conditions))
    if not found:
        raise ScheduleNotFound()
    return found[0]


def _read(connection: Connection, query: sa.Select[Any]) -> list[Schedule]:
    rows = connection.execute(query).mappings().all()
    runs = last_runs(connection, [row["id"] for row in rows])
    names = [item.name for item in fields(Schedule) if item.name != "last_run"]
    return [
        Schedule(**{name: row[name] for name in names}, last_run=runs.get(row["id"]))
        for row in rows
    ]


def _change(
    connection: Connection, now: datetime, known: Schedule, values: Mapping[str, Any]
) -> None:
    connection.execute(
        sa.update(schedule)
        .where(_schedule.id == known.id)
        .values(**values, version=known.version + 1, updated_at=now)
    )


def _check_version(known: Schedule, versions: Collection[int] | None) -> None:
    if versions is not None and known.version not in versions:
        raise ChangedMeanwhile()


def _ids(known: Schedule) -> dict[str, Any]:
    return {"id": known.id, "tenant_id": known.tenant_id}


def _audit(
    connection: Connection,
    now: datetime,
    action: str,
    actor: Actor,
    row: Mapping[str, Any],
    detail: Mapping[str, Any] | None = None,
) -> None:
    more = {"schedule": str(row["id"]), **(detail or {})}
    audit(connection, now, action, no_task(row["tenant_id"]), actor=actor, detail=more)
