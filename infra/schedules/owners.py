"""Owners of schedules: the rights with which their exports run while nobody is there.

Waybill has no list of users. On record is what the newest token of an owner said, and when it was
used: each visit of the page and each request about schedules updates it. A right that is lost at
the identity provider is lost here with the next token; somebody who is never seen again loses
everything after a time (`WAYBILL_SCHEDULE_OWNER_DAYS`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.inserts import insert
from waybill.infra.db.tables import revocation, schedule_owner
from waybill.infra.schedules.errors import OwnerNotSeen, OwnerRevoked

log = logging.getLogger(__name__)

_owner = schedule_owner.c
#: A token that says the same is not recorded more often.
_AGAIN_SECONDS = 3600.0
#: People of one process whose last record is remembered.
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner as last seen."""

    principal: Principal
    seen_at: datetime


class ScheduleOwners:
    """Records what tokens say of those who own schedules. Thread-safe."""

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._recorded: dict[tuple[str, str], tuple[Principal, float]] = {}

    def saw(self, user: Principal) -> None:
        """Update the record of `user`, if there is one. Never raises for a missing database."""
        key, now = (user.tenant, user.user), self._clock()
        known = self._recorded.get(key)
        if known and known[0] == user and now < known[1] + _AGAIN_SECONDS:
            return
        if len(self._recorded) >= _MOST_REMEMBERED:
            self._recorded.clear()
        try:
            with write_transaction(self._engine) as connection:
                connection.execute(
                    sa.update(schedule_owner)
                    .where(_owner.tenant_id == user.tenant, _owner.user_id == user.user)
                    .values(**_claims(user), seen_at=database_now(connection))
                )
        except SQLAlchemyError:
            log.warning("an owner of schedules could not be recorded")
            return
        self._recorded[key] = (user, now)


def record_owner(connection: Connection, now: datetime, user: Principal) -> None:
    """Record `user` as an owner of schedules, with the rights of this request."""
    claims = {**_claims(user), "seen_at": now}
    connection.execute(
        insert(connection, schedule_owner)
        .values(tenant_id=user.tenant, user_id=user.user, **claims)
        .on_conflict_do_update(index_elements=[_owner.tenant_id, _owner.user_id], set_=claims)
    )


def owner_of(
    connection: Connection, now: datetime, tenant: str, user: str, *, absence: timedelta | None
) -> Principal:
    """The owner with the latest rights on record.

    Raises:
        OwnerNotSeen: not for `absence`, or never.
        OwnerRevoked: an operator has revoked their tokens, and they have not come back since.
    """
    row = connection.execute(
        sa.select(schedule_owner).where(_owner.tenant_id == tenant, _owner.user_id == user)
    ).mappings().one_or_none()  # fmt: skip
    if row is None or (absence is not None and row["seen_at"] < now - absence):
        raise OwnerNotSeen()
    revoked = sa.select(revocation.c.id).where(
        revocation.c.tenant_id == tenant,
        sa.or_(
            sa.and_(revocation.c.kind == "user", revocation.c.user_id == user),
            revocation.c.kind == "tenant",
        ),
        revocation.c.at >= row["seen_at"],
    )
    if connection.execute(revoked.limit(1)).first() is not None:
        raise OwnerRevoked()
    return _principal(row)


def _claims(user: Principal) -> dict[str, object]:
    """The columns that hold what a token says beside user and tenant."""
    return {"roles": sorted(user.roles), "attributes": dict(user.attributes) or None}


def _principal(row: sa.RowMapping) -> Principal:
    roles, attributes = frozenset(row["roles"]), row["attributes"] or {}
    return Principal(row["user_id"], row["tenant_id"], roles, attributes)
