"""Log-ins to the pages in the audit log, bounded so that nobody can fill it.

They are recorded after the response was sent, like refused requests.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.tasks.audit import Actor, ActorKind, audit, no_task
from waybill.infra.tasks.hourly import HourlyMemory
from waybill.request_origin import request_origin

log = logging.getLogger(__name__)

#: Log-ins of one user, and refused ones from one address, that are recorded in an hour; per
#: process of the API. The last one says so.
MAX_PER_HOUR = 20
#: Refused log-ins that are recorded in an hour from all addresses together.
_MAX_REFUSED = 1_000

#: Nobody knows who sent a token that is not valid, nor of which tenant.
_UNKNOWN = Actor("unknown", ActorKind.USER)


class SessionLog:
    """Records who logged in, and from where somebody tried to."""

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._begun = HourlyMemory(per_actor=MAX_PER_HOUR, clock=clock)
        self._refused = HourlyMemory(
            per_actor=MAX_PER_HOUR, actors=_MAX_REFUSED // MAX_PER_HOUR, clock=clock
        )

    def begun(self, user: Principal) -> None:
        """Record that `user` has logged in. Never raises when the database is away."""
        self._record(
            self._begun,
            (user.tenant, user.user),
            "session_begin",
            Actor.user(user),
            {"roles": sorted(user.roles)},
        )

    def refused(self, reason: str) -> None:
        """Record that somebody without a valid token tried to; never the token, of course."""
        origin = request_origin.get()
        address = origin.address if origin else None
        self._record(self._refused, address, "session_refused", _UNKNOWN, {"reason": reason})

    def _record(
        self,
        memory: HourlyMemory,
        who: object,
        action: str,
        actor: Actor,
        detail: dict[str, object],
    ) -> None:
        # Each request is one of its own.
        place = memory.admit(who, object())
        if place is None:
            return
        if place == memory.per_actor:
            detail = detail | {"note": "further ones of this hour are not recorded"}
        try:
            with write_transaction(self._engine) as connection:
                now = database_now(connection)
                audit(connection, now, action, no_task(actor.tenant), actor=actor, detail=detail)
        except SQLAlchemyError:
            log.warning("a log-in could not be recorded", extra={"action": action})
