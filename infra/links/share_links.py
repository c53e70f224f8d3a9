"""Links that people share with colleagues: made, counted, revoked, followed.

Nothing about a link is kept in memory: every click reads its row, so a link that was revoked
a moment ago is dead. The token is returned once, by `create`; the table holds its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, InvalidRequest
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, share_link
from waybill.infra.tasks.audit import audit
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import load, owned_by

_l = share_link.c
_t = export_task.c

#: 256 bits: nobody guesses one, and no limit on guesses is needed.
_TOKEN_BYTES = 32
#: Of one task, revoked ones included. More would be a list nobody can look after.
MAX_LINKS = 50


class LinkNotFound(ExportRejected, KeyError):
    """There is no such link, or it can no longer be followed."""

    code = "link_not_found"

    #: The task of a link that exists, and belongs to another tenant. For the audit log only.
    task_id: UUID | None = None


class TooManyLinks(ExportRejected):
    """This export has as many share links as it may have; delete it or share an existing one."""

    code = "too_many_links"


@dataclass(frozen=True, slots=True)
class ShareLink:
    """One link, as its owner sees it. `expires_at` is None for as long as there is a file."""

    id: UUID
    task_id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    max_uses: int | None
    uses: int
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SharedTask:
    """What a living link leads to, and who shares it."""

    link_id: UUID
    task: Task
    sharer: Principal


_SHOWN = tuple(_l[item.name] for item in fields(ShareLink))


class ShareLinks:
    """The share links, as seen from the API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        user: Principal,
        task_id: UUID,
        *,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
    ) -> tuple[ShareLink, str]:
        """A new link to a task of `user`'s, and its token, which cannot be had again.

        Raises:
            TaskNotFound: also when the task is somebody else's.
            InvalidRequest: `expires_at` is over, or later than the end of the file.
            TooManyLinks: there are `MAX_LINKS` already.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with write_transaction(self._engine) as connection:
            # Locked, so that two at once cannot both be the last one allowed.
            task = load(connection, user, task_id, for_update=True)
            now = database_now(connection)
            _check_expiry(task, expires_at, now)
            there = sa.select(sa.func.count()).where(_l.task_id == task.id)
            if connection.execute(there).scalar_one() >= MAX_LINKS:
                raise TooManyLinks()
            row = (
                connection.execute(
                    sa.insert(share_link)
                    .values(
                        id=uuid4(),
                        task_id=task.id,
                        tenant_id=user.tenant,
                        created_by=user.user,
                        roles=sorted(user.roles),
                        token_hash=_digest(token),
                        created_at=now,
                        # The end of the file is the file's own matter: it can be run again.
                        expires_at=None if expires_at == task.expires_at else expires_at,
                        max_uses=max_uses,
                    )
                    .returning(*_SHOWN)
                )
                .mappings()
                .one()
            )
            detail = {
                "link": str(row["id"]),
                "max_uses": max_uses,
                "expires_at": expires_at.isoformat() if expires_at else None,
            }
            _audit(connection, now, "share", task, user, detail)
            return ShareLink(**row), token

    def of_task(self, user: Principal, task_id: UUID) -> list[ShareLink]:
        """The links of a task of `user`'s, newest first; or `TaskNotFound`."""
        with read_transaction(self._engine) as connection:
            load(connection, user, task_id)
            query = sa.select(*_SHOWN).where(_l.task_id == task_id)
            rows = connection.execute(query.order_by(_l.created_at.desc(), _l.id)).mappings()
            return [ShareLink(**row) for row in rows]

    def revoke(self, user: Principal, task_id: UUID, link_id: UUID) -> None:
        """End a link now and for good. Doing it again changes nothing.

        Raises:
            TaskNotFound, LinkNotFound: also when they are somebody else's.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id)
            this = (_l.id == link_id, _l.task_id == task.id)
            if connection.execute(sa.select(_l.id).where(*this)).first() is None:
                raise LinkNotFound()
            now = database_now(connection)
            revoked = connection.execute(
                sa.update(share_link).where(*this, _l.revoked_at.is_(None)).values(revoked_at=now)
            )
            if revoked.rowcount:
                _audit(connection, now, "revoke_link", task, user, {"link": str(link_id)})

    def find(self, visitor: Principal, token: str) -> SharedTask:
        """What the link of `token` leads to, as long as it may be followed at all.

        The sharer comes with the roles they last acted with, in a request for an export or in
        a share: Waybill has no directory of users, and this is the latest it knows.

        Raises:
            LinkNotFound: unknown, revoked, over, used up, or of another tenant; no caller can
                tell which.
        """
        query = (
            sa.select(
                _l.id.label("link_id"),
                _l.created_by.label("sharer"),
                export_task,
            )
            .select_from(share_link.join(export_task, _t.id == _l.task_id))
            .where(_l.token_hash == _digest(token))
        )
        with read_transaction(self._engine) as connection:
            living = sa.and_(*_followable(database_now(connection)))
            row = connection.execute(query.add_columns(living.label("living"))).mappings().first()
            if row is None or not row["living"]:
                raise LinkNotFound()
            task = Task.from_row(row)
            if task.tenant_id != visitor.tenant:
                refusal = LinkNotFound()
                refusal.task_id = task.id
                raise refusal
            sharer = Principal(row["sharer"], task.tenant_id)
            return SharedTask(row["link_id"], task, _as_last_seen(connection, sharer))

    def use(self, visitor: Principal, shared: SharedTask) -> None:
        """Count one use and audit it, in one commit.

        Raises:
            LinkNotFound: meanwhile it was revoked, is over, or somebody took the last use.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            uses = connection.execute(
                sa.update(share_link)
                .where(_l.id == shared.link_id, *_followable(now))
                .values(uses=_l.uses + 1, last_used_at=now)
                .returning(_l.uses)
            ).scalar_one_or_none()
            if uses is None:
                raise LinkNotFound()
            detail = {"link": str(shared.link_id), "use": uses}
            _audit(connection, now, "follow_link", shared.task, visitor, detail)


def forget_links(connection: Connection, task_id: UUID) -> None:
    """Delete the links of a task that is being deleted, in the same transaction."""
    connection.execute(sa.delete(share_link).where(_l.task_id == task_id))


def _followable(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _l.revoked_at.is_(None),
        sa.or_(_l.expires_at.is_(None), _l.expires_at > now),
        sa.or_(_l.max_uses.is_(None), _l.uses < _l.max_uses),
    )


def _check_expiry(task: Task, expires_at: datetime | None, now: datetime) -> None:
    if expires_at is None:
        return
    if expires_at <= now:
        raise InvalidRequest("expires_at has to be in the future.")
    if task.expires_at is not None and expires_at > task.expires_at:
        raise InvalidRequest("expires_at is later than the end of the file itself.")


def _as_last_seen(connection: Connection, user: Principal) -> Principal:
    """`user` with the roles of their newest request or share."""
    asked = sa.select(_t.created_at, _t.roles).where(owned_by(user)).order_by(_t.created_at.desc())
    shared = (
        sa.select(_l.created_at, _l.roles)
        .where(_l.tenant_id == user.tenant, _l.created_by == user.user)
        .order_by(_l.created_at.desc())
    )
    seen = [connection.execute(query.limit(1)).one_or_none() for query in (asked, shared)]
    latest = max((row for row in seen if row is not None), key=lambda row: row.created_at)
    return Principal(user.user, user.tenant, frozenset(latest.roles))


def _audit(
    connection: Connection,
    now: datetime,
    action: str,
    task: Task,
    actor: Principal,
    detail: dict[str, Any],
) -> None:
    identity = {"id": task.id, "tenant_id": task.tenant_id, "fence": task.fence}
    audit(connection, now, action, identity, actor=actor.user, detail=detail)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
