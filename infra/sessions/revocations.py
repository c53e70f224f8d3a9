"""Revocations: tokens that are refused although they have not expired, in the task database.

One token (by its fingerprint when its owner logs out, or by its `jti`), or every token of a user,
of a tenant or of everybody that was issued until now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.identity import LONGEST_TOKEN_LIFE
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import revocation
from waybill.infra.tasks.audit import Actor, ActorKind, audit, no_task

_column = revocation.c

#: Beyond the moment at which a token expires: the leeway of requests, and clocks that differ.
_SLACK = timedelta(minutes=2)


class RevocationKind(StrEnum):
    """What a revocation names; the values of `revocation.kind`."""

    #: One token, by the fingerprint of its signed part.
    TOKEN = "token"  # noqa: S105 - no secret
    #: One token, by its claim `jti`.
    TOKEN_ID = "token_id"  # noqa: S105 - no secret
    USER = "user"
    TENANT = "tenant"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Subject:
    """The tokens that a revocation names. Fields that its kind does not use are empty."""

    kind: RevocationKind
    tenant: str = ""
    user: str = ""
    #: A fingerprint or a `jti`.
    token: str = ""

    @property
    def names_one_token(self) -> bool:
        """Whether it names one token, whenever that was issued."""
        return self.kind in (RevocationKind.TOKEN, RevocationKind.TOKEN_ID)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What revocations need to know of a token that was verified."""

    tenant: str
    user: str
    issued_at: datetime
    expires_at: datetime
    #: SHA-256 of the part that is signed, in hexadecimal digits. The signature is left out: it can
    #: be written in several ways.
    fingerprint: str
    #: The claim `jti`, if it has one.
    token_id: str | None = None

    def subjects(self) -> Iterator[Subject]:
        """Everything that would revoke it."""
        yield Subject(RevocationKind.TOKEN, token=self.fingerprint)
        if self.token_id is not None:
            yield Subject(RevocationKind.TOKEN_ID, token=self.token_id)
        yield Subject(RevocationKind.USER, self.tenant, self.user)
        yield Subject(RevocationKind.TENANT, self.tenant)
        yield Subject(RevocationKind.EVERYBODY)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation in force until `expires_at`, when the last token it names has expired."""

    subject: Subject
    #: By the database's clock. Of users and tenants, it revokes tokens issued until then.
    at: datetime
    expires_at: datetime

    def covers(self, token: IssuedToken) -> bool:
        """Whether it revokes `token`, which has its subject."""
        return self.subject.names_one_token or token.issued_at <= self.at


class Revocations:
    """Adds and reads revocations. Each is audited in the transaction that adds it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def end_session(self, token: IssuedToken) -> Revocation:
        """Revoke the token of somebody who logs out."""
        actor = Actor(token.user, ActorKind.USER, token.tenant)
        subject = Subject(RevocationKind.TOKEN, token.tenant, token.user, token.fingerprint)
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            audit(connection, now, "session_end", no_task(token.tenant), actor=actor)
            return _insert(connection, subject, now, token.expires_at + _SLACK)

    def revoke(self, subject: Subject, actor: Actor) -> Revocation:
        """Revoke all tokens that `subject` names and that were issued until now.

        A token that is issued within the same second counts as issued before: `iat` has no
        fractions. The revocation stays for as long as any setting lets a token live.

        Raises:
            InvalidRequest: a name in it is empty.
        """
        detail = {
            "kind": str(subject.kind),
            **({"user": subject.user} if subject.user else {}),
            **({"token_id": subject.token} if subject.token else {}),
        }
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            task = no_task(subject.tenant)
            audit(connection, now, "sessions_revoked", task, actor=actor, detail=detail)
            return _insert(connection, subject, now, now + LONGEST_TOKEN_LIFE + _SLACK)

    def read(self, since: datetime | None = None) -> tuple[datetime, list[Revocation]]:
        """The database's time, and the revocations in force that were added after `since`."""
        with read_transaction(self._engine) as connection:
            now = database_now(connection)
            query = sa.select(revocation).where(_column.expires_at > now)
            if since is not None:
                query = query.where(_column.at > since)
            return now, [_revocation(row) for row in connection.execute(query).mappings()]


def subject_of(
    user: str | None, tenant: str | None, token_id: str | None, *, everybody: bool
) -> Subject:
    """The subject that an operator names in one of four ways.

    Raises:
        InvalidRequest: in none of them, or in several at once.
    """
    match (user, tenant, token_id, everybody):
        case (str() as user, str() as tenant, None, False) if user and tenant:
            return Subject(RevocationKind.USER, tenant, user)
        case (None, str() as tenant, None, False) if tenant:
            return Subject(RevocationKind.TENANT, tenant)
        case (None, None, str() as token_id, False) if token_id:
            return Subject(RevocationKind.TOKEN_ID, token=token_id)
        case (None, None, None, True):
            return Subject(RevocationKind.EVERYBODY)
    raise InvalidRequest(
        "Name a user and a tenant, or a tenant, or the id (jti) of a token, or everybody."
    )


def _insert(
    connection: Connection, subject: Subject, now: datetime, expires_at: datetime
) -> Revocation:
    connection.execute(
        sa.insert(revocation).inline(),
        {
            "at": now,
            "expires_at": expires_at,
            "kind": subject.kind,
            "tenant_id": subject.tenant,
            "user_id": subject.user,
            "token": subject.token,
        },
    )
    return Revocation(subject, now, expires_at)


def _revocation(row: sa.RowMapping) -> Revocation:
    kind = RevocationKind(row["kind"])
    subject = Subject(kind, row["tenant_id"], row["user_id"], row["token"])
    return Revocation(subject, row["at"], row["expires_at"])
