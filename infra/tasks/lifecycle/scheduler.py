"""Taking turns: each wake-up of a queue, and each end of a run, claims whatever is next there.

No task is left behind by a cap: a wake-up that a cap made useless leaves a note, and the
ends of the runs that filled the cap look into their own queue and wake the noted ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.engine import Engine

from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import advisory_lock, database_now, read_transaction, write_transaction
from waybill.infra.tasks.lifecycle.claims import (
    hold_back,
    is_held_back,
    next_of,
    take,
    turns,
    wake_elsewhere,
)
from waybill.infra.tasks.model import Claim, Task


@dataclass(frozen=True, slots=True)
class Turns:
    """The order of claims, under `limits`."""

    engine: Engine
    lease: timedelta
    limits: Limits

    def claim_next(self, queue: str, worker: str, called: UUID | None = None) -> Claim | None:
        """Take the task of `queue` whose turn it is, or None when there is none to take now.

        `called` is the task that the message in hand speaks of, which may be a little early.
        """
        claim = self._claim(queue, worker, called)
        if claim is None and self._note_held(queue, called):
            # The run that filled the cap may have ended before there was a note to find.
            claim = self._claim(queue, worker, called)
        return claim

    def wake_elsewhere(self, ended: Task) -> None:
        """Tell workers of other queues when the end of `ended` may let its owner run another."""
        with read_transaction(self.engine) as connection:
            if not is_held_back(connection, ended.tenant_id, besides=ended.queue):
                return
        with write_transaction(self.engine) as connection:
            wake_elsewhere(connection, database_now(connection), ended)

    def _claim(self, queue: str, worker: str, called: UUID | None) -> Claim | None:
        with read_transaction(self.engine) as connection:
            tenants = turns(connection, queue, self.limits, called)
        # What somebody has locked is passed over first. It may only be looked at, though, and
        # there may be no other wake-up for it: so the second time we wait.
        for skip_locked, tenant in itertools.product((True, False), tenants):
            with write_transaction(self.engine) as connection:
                # One transaction for each: holding two such locks could wait in a circle.
                advisory_lock(connection, "claim", tenant)
                now = database_now(connection)
                which = next_of(tenant, queue, now, self.limits, called, skip_locked=skip_locked)
                if claim := take(connection, now, worker, self.lease, which, called):
                    return claim
        return None

    def _note_held(self, queue: str, called: UUID | None) -> bool:
        with read_transaction(self.engine) as connection:
            held = turns(connection, queue, Limits.only(), called)
        if not held:
            return False
        with write_transaction(self.engine) as connection:
            hold_back(connection, database_now(connection), queue, held)
        return True
