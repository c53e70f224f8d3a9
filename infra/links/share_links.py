"""Share links: created by the owner of a task, followed and counted, revoked.

Nothing about a link is kept in memory: every click reads its row, so revoking takes effect at
once. `create` returns the token, once; the table holds only its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, InvalidRequest
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, share_link
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import load, owned_by

_link = share_link.c
_task = export_task.c

#: 256 bits: too many to guess, so no limit on guesses is needed.
_TOKEN_BYTES = 32
#: Of one task, revoked ones included. A longer list cannot be kept in view.
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
    """One link, as its owner sees it. Without `expires_at` it lasts as long as the file."""

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
    """The task that a valid link leads to, and who shares it."""

    link_id: UUID
    task: Task
    sharer: Principal


_SHOWN = tuple(_link[item.name] for item in fields(ShareLink))


class ShareLinks:
    """The share links, for the API."""

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
        """A new link to one of `user`'s tasks, and its token, which is not readable again.

        Raises:
            TaskNotFound: also when the task belongs to another user.
            InvalidRequest: `expires_at` has passed, or is later than the end of the file.
            TooManyLinks: there are `MAX_LINKS` already.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with write_transaction(self._engine) as connection:
            # Locked, so that of two at once only one is the last one allowed.
            task = load(connection, user, task_id, for_update=True)
            now = database_now(connection)
            _check_expiry(task, expires_at, now)
            count = sa.select(sa.func.count()).where(_link.task_id == task.id)
            if connection.execute(count).scalar_one() >= MAX_LINKS:
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
                        # The end of the file itself is not copied: it can change.
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
            audit(connection, now, "share", task.identity, actor=Actor.user(user), detail=detail)
            return ShareLink(**row), token

    def of_task(self, user: Principal, task_id: UUID) -> list[ShareLink]:
        """The links of one of `user`'s tasks, newest first; or `TaskNotFound`."""
        with read_transaction(self._engine) as connection:
            load(connection, user, task_id)
            query = sa.select(*_SHOWN).where(_link.task_id == task_id)
            rows = connection.execute(query.order_by(_link.created_at.desc(), _link.id)).mappings()
            return [ShareLink(**row) for row in rows]

    def revoke(self, user: Principal, task_id: UUID, link_id: UUID) -> None:
        """End a link at once and for good. Revoking it again changes nothing.

        Raises:
            TaskNotFound, LinkNotFound: also when they belong to another user.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id)
            this = (_link.id == link_id, _link.task_id == task.id)
            if connection.execute(sa.select(_link.id).where(*this)).first() is None:
                raise LinkNotFound()
            now = database_now(connection)
            revoked = connection.execute(
                sa.update(share_link)
                .where(*this, _link.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            if revoked.rowcount:
                audit(
                    connection,
                    now,
                    "revoke_link",
                    task.identity,
                    actor=Actor.user(user),
                    detail={"link": str(link_id)},
                )

    def find(self, caller: Principal, token: str) -> SharedTask:
        """The task that the link of `token` leads to, if the link is valid for `caller`.

        The sharer has the roles of their latest request or share: Waybill has no directory of
        users, and these are the latest it knows.

        Raises:
            LinkNotFound: unknown, revoked, expired, used up, or of another tenant; the caller
                cannot tell which.
        """
        query = (
            sa.select(
                _link.id.label("link_id"),
                _link.created_by.label("sharer"),
                export_task,
            )
            .select_from(share_link.join(export_task, _task.id == _link.task_id))
            .where(_link.token_hash == _digest(token))
        )
        with read_transaction(self._engine) as connection:
            living = sa.and_(*_followable(database_now(connection)))
            row = connection.execute(query.add_columns(living.label("living"))).mappings().first()
            if row is None or not row["living"]:
                raise LinkNotFound()
            task = Task.from_row(row)
            if task.tenant_id != caller.tenant:
                refusal = LinkNotFound()
                refusal.task_id = task.id
                raise refusal
            sharer = Principal(row["sharer"], task.tenant_id)
            return SharedTask(row["link_id"], task, _as_last_seen(connection, sharer))

    def use(self, caller: Principal, shared: SharedTask) -> None:
        """Count one use and audit it, in one commit.

        Raises:
            LinkNotFound: meanwhile it was revoked, has expired, or was used up.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            uses = connection.execute(
                sa.update(share_link)
                .where(_link.id == shared.link_id, *_followable(now))
                .values(uses=_link.uses + 1, last_used_at=now)
                .returning(_link.uses)
            ).scalar_one_or_none()
            if uses is None:
                raise LinkNotFound()
            detail = {"link": str(shared.link_id), "use": uses}
            audit(
                connection,
                now,
                "follow_link",
                shared.task.identity,
                actor=Actor.user(caller),
                detail=detail,
            )


def _followable(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _link.revoked_at.is_(None),
        sa.or_(_link.expires_at.is_(None), _link.expires_at > now),
        sa.or_(_link.max_uses.is_(None), _link.uses < _link.max_uses),
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
    asked = (
        sa.select(_task.created_at, _task.roles)
        .where(owned_by(user))
        .order_by(_task.created_at.desc())
    )
    shared = (
        sa.select(_link.created_at, _link.roles)
        .where(_link.tenant_id == user.tenant, _link.created_by == user.user)
        .order_by(_link.created_at.desc())
    )
    seen = [connection.execute(query.limit(1)).one_or_none() for query in (asked, shared)]
    latest = max((row for row in seen if row is not None), key=lambda row: row.created_at)
    return Principal(user.user, user.tenant, frozenset(latest.roles))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
