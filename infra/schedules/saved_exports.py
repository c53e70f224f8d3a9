"""Saved exports: requests under a name, of one user, or shared with the tenant.

Everybody who sees one may run it, with their own rights. Its owner and the admins of the tenant may
change it. Nobody outside the tenant sees it, operators included.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest, PermissionDenied
from waybill.infra.db.engine import (
    advisory_lock,
    database_now,
    read_transaction,
    write_transaction,
)
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import saved_export, schedule
from waybill.infra.schedules.errors import (
    ChangedMeanwhile,
    NameTaken,
    SavedExportGone,
    SavedExportNotFound,
    TooManySavedExports,
)
from waybill.infra.schedules.pauses import delete_schedules, pause
from waybill.infra.tasks.audit import Actor, audit, no_task

_saved = saved_export.c
_schedule = schedule.c


@dataclass(frozen=True, slots=True)
class SavedExport:
    """One row of ``saved_export``. Field names are the column names."""

    id: UUID
    tenant_id: str
    created_by: str
    name: str
    shared: bool
    task_type: str
    #: The request as JSON; its dates may be relative.
    request: dict[str, Any]
    timezone: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: the datasets they may export, and whether they administer their tenant."""

    user: Principal
    datasets: Collection[str]
    is_admin: bool = False

    def sees(self) -> sa.ColumnElement[bool]:
        """The condition that they see a saved export."""
        shared = sa.and_(_saved.shared.is_(sa.true()), _saved.task_type.in_(self.datasets))
        return sa.and_(
            _saved.tenant_id == self.user.tenant,
            sa.true() if self.is_admin else sa.or_(_saved.created_by == self.user.user, shared),
        )


class SavedExports:
    """The saved exports, for the API. Every change is audited."""

    def __init__(self, engine: Engine, *, most_per_user: int) -> None:
        self._engine = engine
        self._most_per_user = most_per_user

    def create(
        self,
        user: Principal,
        *,
        name: str,
        request: Mapping[str, Any],
        timezone: str,
        shared: bool = False,
    ) -> SavedExport:
        """Save `request`, which the caller has checked.

        Raises:
            NameTaken, TooManySavedExports, InvalidRequest: the name is empty.
        """
        values = {
            "id": uuid4(),
            "tenant_id": user.tenant,
            "created_by": user.user,
            "shared": shared,
            "task_type": request["type"],
            "request": dict(request),
            "timezone": timezone,
            "version": 1,
            **_named(name),
        }
        with write_transaction(self._engine) as connection:
            advisory_lock(connection, "saved exports", user.tenant, user.user)
            now = database_now(connection)
            mine = (_saved.tenant_id == user.tenant, _saved.created_by == user.user)
            count = sa.select(sa.func.count()).select_from(saved_export).where(*mine)
            if connection.execute(count).scalar_one() >= self._most_per_user:
                raise TooManySavedExports()
            statement = insert_ignoring(connection, saved_export, *saved_export.c)
            row = connection.execute(statement, values | {"created_at": now, "updated_at": now})
            if (made := row.mappings().one_or_none()) is None:
                raise NameTaken()
            _audit(connection, now, "saved_export_created", user, made)
            return _read(made)

    def visible(
        self, viewer: Viewer, *, after: UUID | None = None, limit: int = 100
    ) -> list[SavedExport]:
        """What `viewer` sees, by name. `after` continues behind that one."""
        query = sa.select(saved_export).where(viewer.sees())
        if after is not None:
            place = saved_export.alias()
            behind = sa.select(place.c.name_key, place.c.id).where(
                place.c.id == after, place.c.tenant_id == viewer.user.tenant
            )
            with read_transaction(self._engine) as connection:
                position = connection.execute(behind).one_or_none()
            if position is None:
                return []
            query = query.where(sa.tuple_(_saved.name_key, _saved.id) > sa.tuple_(*position))
        with read_transaction(self._engine) as connection:
            rows = connection.execute(query.order_by(_saved.name_key, _saved.id).limit(limit))
            return [_read(row) for row in rows.mappings()]

    def get(self, viewer: Viewer, saved_id: UUID) -> SavedExport:
        """One that `viewer` sees, or `SavedExportNotFound`."""
        with read_transaction(self._engine) as connection:
            return load_saved(connection, viewer, saved_id)

    def update(
        self,
        viewer: Viewer,
        saved_id: UUID,
        changes: Mapping[str, Any],
        *,
        versions: Collection[int] | None = None,
    ) -> SavedExport:
        """Change `name`, `shared`, `request` or `timezone`; the caller has checked a request.

        With `versions`, only if it still has one of them.

        Raises:
            SavedExportNotFound, PermissionDenied, ChangedMeanwhile, NameTaken, InvalidRequest.
        """
        values = dict(changes)
        if "name" in values:
            values |= _named(values["name"])
        if "request" in values:
            values["task_type"] = values["request"]["type"]
        try:
            with write_transaction(self._engine) as connection:
                known = _load_to_change(connection, viewer, saved_id, versions)
                now = database_now(connection)
                row = connection.execute(
                    sa.update(saved_export)
                    .where(_saved.id == known.id)
                    .values(**values, version=known.version + 1, updated_at=now)
                    .returning(saved_export)
                ).mappings()
                changed = row.one()
                detail = {"changed": sorted(changes)}
                _audit(connection, now, "saved_export_changed", viewer.user, changed, detail)
                return _read(changed)
        except IntegrityError:
            raise NameTaken() from None

    def delete(
        self, viewer: Viewer, saved_id: UUID, *, versions: Collection[int] | None = None
    ) -> None:
        """Delete it and its owner's schedules. Schedules of others are paused, and they are told.

        Raises:
            SavedExportNotFound, PermissionDenied, ChangedMeanwhile.
        """
        with write_transaction(self._engine) as connection:
            known = _load_to_change(connection, viewer, saved_id, versions)
            now = database_now(connection)
            using = sa.select(schedule).where(_schedule.saved_export_id == known.id)
            for row in connection.execute(using.with_for_update()).mappings().all():
                if row["created_by"] == known.created_by:
                    delete_schedules(connection, now, [row], Actor.user(viewer.user))
                    continue
                if row["paused_at"] is None:
                    pause(connection, now, row, SavedExportGone(), named=known.name)
                connection.execute(
                    sa.update(schedule)
                    .where(_schedule.id == row["id"])
                    .values(saved_export_id=None)
                )
            _audit(connection, now, "saved_export_deleted", viewer.user, _row(known))
            connection.execute(sa.delete(saved_export).where(_saved.id == known.id))


def load_saved(
    connection: Connection, viewer: Viewer, saved_id: UUID, *, for_update: bool = False
) -> SavedExport:
    """One that `viewer` sees, or `SavedExportNotFound`."""
    query = sa.select(saved_export).where(viewer.sees(), _saved.id == saved_id)
    if for_update:
        query = query.with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise SavedExportNotFound()
    return _read(row)


def _load_to_change(
    connection: Connection, viewer: Viewer, saved_id: UUID, versions: Collection[int] | None
) -> SavedExport:
    known = load_saved(connection, viewer, saved_id, for_update=True)
    if known.created_by != viewer.user.user and not viewer.is_admin:
        raise PermissionDenied("Only its owner and an admin may change a saved export.")
    if versions is not None and known.version not in versions:
        raise ChangedMeanwhile()
    return known


def name_key(name: str) -> str:
    """The name without its case and its way of composing letters."""
    return unicodedata.normalize("NFKC", name).casefold()


def _named(name: str) -> dict[str, str]:
    shown = " ".join(name.split())
    if not shown:
        raise InvalidRequest("The name is empty.", field="name")
    return {"name": shown, "name_key": name_key(shown)}


def _row(item: SavedExport) -> dict[str, Any]:
    return {"id": item.id, "tenant_id": item.tenant_id}


def _read(row: sa.RowMapping) -> SavedExport:
    return SavedExport(**{item.name: row[item.name] for item in fields(SavedExport)})


def _audit(
    connection: Connection,
    now: datetime,
    action: str,
    user: Principal,
    row: Mapping[str, Any] | sa.RowMapping,
    detail: Mapping[str, Any] | None = None,
) -> None:
    more = {"saved_export": str(row["id"]), **(detail or {})}
    task = no_task(row["tenant_id"])
    audit(connection, now, action, task, actor=Actor.user(user), detail=more)
