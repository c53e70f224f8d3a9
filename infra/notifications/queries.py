"""Queries of notifications: the notices of a user, the delivery log of a task, and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import notification
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.notifications import NOTICE, OF_ADMINS
from waybill.infra.tasks.queries.owned import load
from waybill.infra.tasks.queries.scope import Scope

_notification = notification.c


@dataclass(frozen=True, slots=True)
class Notification:
    """One row of ``notification``, as read. Field names are the column names."""

    id: UUID
    task_id: UUID
    tenant_id: str
    user_id: str
    channel: str
    event: str
    # The path of a webhook's URL may be a secret: show it through `redacted`.
    target: str | None = field(repr=False)
    detail: dict[str, Any]
    created_at: datetime
    available_at: datetime
    attempts: int
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None
    read_at: datetime | None


_COLUMNS = [_notification[name] for name in Notification.__dataclass_fields__]


class NotificationQueries:
    """Reads notifications for the API. Methods that take a `Principal` see only that user's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest_notices(
        self,
        user: Principal,
        *,
        before: UUID | None = None,
        limit: int = 20,
        as_admin: bool = False,
    ) -> list[Notification]:
        """`user`'s notices, newest first. `before` continues after that notice.

        The list is empty when that notice does not exist (any more). `as_admin` adds those to all
        admins of the tenant, here and in the other methods.
        """
        mine = _notice_of(user, as_admin=as_admin)
        conditions = [mine]
        if before is not None:
            conditions.append(
                _position(_notification.created_at, _notification.id) < _position_of(mine, before)
            )
        with read_transaction(self._engine) as connection:
            return _read(connection, conditions, limit)

    def count_unread_notices(self, user: Principal, *, as_admin: bool = False) -> int:
        """Number of `user`'s unread notices."""
        mine = _notice_of(user, as_admin=as_admin)
        query = sa.select(sa.func.count()).where(mine, _notification.read_at.is_(None))
        with read_transaction(self._engine) as connection:
            return connection.execute(query).scalar_one()

    def mark_notices_read(
        self, user: Principal, up_to: UUID | None = None, *, as_admin: bool = False
    ) -> None:
        """Mark `user`'s notices as read: all of them, or notice `up_to` and those older than it."""
        mine = _notice_of(user, as_admin=as_admin)
        conditions = [mine, _notification.read_at.is_(None)]
        if up_to is not None:
            conditions.append(
                _position(_notification.created_at, _notification.id) <= _position_of(mine, up_to)
            )
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.update(notification).where(*conditions).values(read_at=database_now(connection))
            )

    def of_task(self, user: Principal, task_id: UUID) -> list[Notification]:
        """All notifications of a task of `user`'s, sent or not.

        Raises:
            TaskNotFound: the task is not `user`'s.
        """
        with read_transaction(self._engine) as connection:
            load(connection, user, task_id)
            return _read(connection, [_notification.task_id == task_id], None)

    def in_scope(
        self,
        scope: Scope,
        *,
        tenant: str | None = None,
        task_id: UUID | None = None,
        channel: str | None = None,
        failed: bool = False,
        limit: int = 50,
    ) -> list[Notification]:
        """Notifications of the tenants in `scope`, newest first.

        `failed` keeps those that were given up or have failed so far.
        """
        conditions: list[sa.ColumnElement[bool]] = [
            column == value
            for column, value in (
                (_notification.tenant_id, tenant),
                (_notification.task_id, task_id),
                (_notification.channel, channel),
            )
            if value is not None
        ]
        conditions += scope.limits(_notification.tenant_id)
        if failed:
            conditions += [
                _notification.delivered_at.is_(None),
                _notification.last_error.is_not(None),
            ]
        with read_transaction(self._engine) as connection:
            return _read(connection, conditions, limit)

    def audit_secrets_read(self, user: Principal) -> None:
        """Record in the audit log that `user` read the webhook secrets of their tenant."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            task = no_task(user.tenant)
            audit(connection, now, "webhook_secrets_read", task, actor=Actor.user(user))

    def count_by_result(self) -> dict[tuple[str, str], int]:
        """Numbers of webhooks and mails of all tenants, by channel and result."""
        result = sa.case(
            (_notification.delivered_at.is_not(None), "delivered"),
            (_notification.given_up_at.is_not(None), "given_up"),
            (_notification.last_error.is_not(None), "failing"),
            else_="waiting",
        )
        query = (
            sa.select(_notification.channel, result, sa.func.count())
            .where(_notification.channel != NOTICE)
            .group_by(_notification.channel, result)
        )
        with read_transaction(self._engine) as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _notice_of(user: Principal, *, as_admin: bool) -> sa.ColumnElement[bool]:
    readers = [user.user, *([OF_ADMINS] if as_admin else [])]
    return sa.and_(
        _notification.tenant_id == user.tenant,
        _notification.user_id.in_(readers),
        _notification.channel == NOTICE,
    )


def _position(created_at: Any, notice_id: Any) -> sa.Tuple:
    return sa.tuple_(created_at, notice_id)


def _position_of(mine: sa.ColumnElement[bool], notice_id: UUID) -> Any:
    return sa.tuple_(
        *(
            sa.select(column).where(mine, _notification.id == notice_id).scalar_subquery()
            for column in (_notification.created_at, _notification.id)
        )
    )


def _read(
    connection: Connection, conditions: Sequence[sa.ColumnElement[bool]], limit: int | None
) -> list[Notification]:
    rows = connection.execute(
        sa.select(*_COLUMNS)
        .where(sa.true(), *conditions)
        .order_by(_notification.created_at.desc(), _notification.id.desc())
        .limit(limit)
    ).mappings()
    return [Notification(**row) for row in rows]
