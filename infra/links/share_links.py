"""Share links: created by the owner of a task, followed and counted, revoked.

Nothing about a link is kept in memory: every click reads its row, so revoking takes effect at
once. `create` returns the token, once; the table holds only its hash. `DerivedTokens` makes those
of links in mails.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, InvalidRequest
from waybill.infra.db.engine import (
    clock,
    database_now,
    read_statement,
    read_transaction,
    write_transaction,
)
from waybill.infra.db.tables import UtcDateTime, export_task, share_link
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.notifications import insert_shared_mail
from waybill.infra.tasks.queries.owned import load

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
    #: The address that it was mailed to.
    recipient: str | None


@dataclass(frozen=True, slots=True)
class SharedTask:
    """The task that a valid link leads to, and who shares it."""

    link_id: UUID
    task: Task
    sharer: Principal


_SHOWN = tuple(_link[item.name] for item in fields(ShareLink))


class ShareLinks:
    """The share links, for the API."""

    def __init__(self, engine: Engine, tokens: DerivedTokens | None = None) -> None:
        """`tokens` are those of links that are mailed; without, none is."""
        self._engine = engine
        self._tokens = tokens

    def create(
        self,
        user: Principal,
        task_id: UUID,
        *,
        expires_at: datetime | None = None,
        max_uses: int | None = None,
        mail: Mapping[str, str | None] | None = None,
    ) -> tuple[ShareLink, str]:
        """A new link to one of `user`'s tasks, and its token, which is not readable again.

        With `mail` it is mailed, by the same commit; see `insert_shared_mail`.

        Raises:
            TaskNotFound: also when the task belongs to another user.
            InvalidRequest: `expires_at` has passed, or is later than the end of the file.
            TooManyLinks: there are `MAX_LINKS` already.
        """
        link_id = uuid4()
        if mail is None or self._tokens is None:
            mail, token = None, secrets.token_urlsafe(_TOKEN_BYTES)
        else:
            token = self._tokens.of(link_id)
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
                        id=link_id,
                        task_id=task.id,
                        tenant_id=user.tenant,
                        created_by=user.user,
                        roles=sorted(user.roles),
                        token_hash=_digest(token),
                        created_at=now,
                        # The end of the file itself is not copied: it can change.
                        expires_at=None if expires_at == task.expires_at else expires_at,
                        max_uses=max_uses,
                        recipient=str(mail["target"]).lower() if mail else None,
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
            if mail:
                detail["mailed_to"] = mail["target"]
                until = expires_at or task.expires_at
                ends = {"until": until.isoformat() if until else None}
                insert_shared_mail(connection, now, link_id, task, {**mail, **ends})
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
        now = datetime.now(UTC)
        with read_statement(self._engine) as connection:
            query = _click(connection.dialect.name)
            row = (
                connection.execute(query, {"digest": _digest(token), "now": now}).mappings().first()
            )
        if row is None or not row["living"]:
            raise LinkNotFound()
        task = Task.from_row(row)
        if task.tenant_id != caller.tenant:
            refusal = LinkNotFound()
            refusal.task_id = task.id
            raise refusal
        asked = row["asked_at"] is not None and row["asked_at"] > row["shared_at"]
        roles = frozenset(row["asked_roles"] if asked else row["shared_roles"])
        return SharedTask(row["link_id"], task, Principal(row["sharer"], task.tenant_id, roles))

    def use(self, caller: Principal, shared: SharedTask) -> None:
        """Count one use and audit it, in one commit.

        Raises:
            LinkNotFound: meanwhile it was revoked, has expired, or was used up.
        """
        with write_transaction(self._engine) as connection:
            used = connection.execute(
                _use(connection.dialect.name), {"link": shared.link_id, "now": datetime.now(UTC)}
            ).one_or_none()
            if used is None:
                raise LinkNotFound()
            detail = {"link": str(shared.link_id), "use": used.uses}
            audit(
                connection,
                used.last_used_at,
                "follow_link",
                shared.task.identity,
                actor=Actor.user(caller),
                detail=detail,
            )


class DerivedTokens:
    """Tokens of links that mails contain, each made of the link's id and a key.

    So the text of a mail can be written when it is sent, by any worker, and no token is stored.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        """`key` is asked for when the first token is made."""
        self._key = key

    def of(self, link_id: UUID) -> str:
        """The token of the link `link_id`."""
        digest = hmac.digest(self._key(), b"share link " + link_id.bytes, "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def path(self, link_id: UUID) -> str:
        """The path at which the link is followed."""
        return f"/d/{self.of(link_id)}"


def add_link(
    connection: Connection, now: datetime, link_id: UUID, task: Task, sharer: Principal, token: str
) -> None:
    """Add a link without limits to a task of `sharer`'s, which need not have ended."""
    connection.execute(
        sa.insert(share_link).values(
            id=link_id,
            task_id=task.id,
            tenant_id=task.tenant_id,
            created_by=sharer.user,
            roles=sorted(sharer.roles),
            token_hash=_digest(token),
            created_at=now,
        )
    )
    detail = {"link": str(link_id), "max_uses": None, "expires_at": None}
    audit(connection, now, "share", task.identity, actor=Actor.user(sharer), detail=detail)


def followable(now: sa.ColumnElement[datetime]) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions that a link can be followed at `now`."""
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


# Both statements of a click are built once: building one takes longer than executing it. What a
# statement can find out by itself costs no round trip of its own.


@cache
def _click(dialect: str) -> sa.Select[Any]:
    """A link and its task, whether it can be followed, and the roles of its sharer, by `digest`.

    The sharer's are those of the newest request and of the newest share.
    """
    asked, shared = export_task.alias(), share_link.alias()
    theirs = {
        "asked": (asked, _task.tenant_id == asked.c.tenant_id),
        "shared": (shared, _task.tenant_id == shared.c.tenant_id),
    }

    def newest(what: str, column: str) -> sa.Label[Any]:
        table, same_tenant = theirs[what]
        query = (
            sa.select(table.c[column])
            .where(same_tenant, table.c.created_by == _link.created_by)
            .order_by(table.c.created_at.desc())
            .limit(1)
            .correlate(export_task, share_link)
        )
        return query.scalar_subquery().label(f"{what}_{column.removeprefix('created_')}")

    return (
        sa.select(
            _link.id.label("link_id"),
            _link.created_by.label("sharer"),
            sa.and_(*followable(clock(dialect, UtcDateTime()))).label("living"),
            *(newest(what, column) for what in theirs for column in ("created_at", "roles")),
            export_task,
        )
        .select_from(share_link.join(export_task, _task.id == _link.task_id))
        .where(_link.token_hash == sa.bindparam("digest", type_=sa.Text()))
    )


@cache
def _use(dialect: str) -> Any:
    """One more use of `link`, if it can still be followed."""
    now = clock(dialect, UtcDateTime())
    return (
        sa.update(share_link)
        .where(_link.id == sa.bindparam("link", type_=_link.id.type), *followable(now))
        .values(uses=_link.uses + 1, last_used_at=now)
        .returning(_link.uses, _link.last_used_at)
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
