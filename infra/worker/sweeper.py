"""The sweeper: finds work that lost its worker or its message, and files that no task refers to.

Everything it does is a compare-and-set, so any number of sweepers may run, at any pace. With
a broker that lost everything, the sweeper and the relay alone still bring every task to an end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.storage.errors import StorageError
from waybill.storage.store import ObjectStore
from waybill.timing import every

log = logging.getLogger(__name__)

#: Scans are at most this far apart, and at most half a lease.
_INTERVAL = timedelta(seconds=15)
#: Random part of the interval, so that several sweepers do not scan together.
_JITTER = 0.2


class Sweeper:
    """Scans at an interval, with jitter so that several do not scan together."""

    def __init__(
        self,
        maintenance: Maintenance,
        store: ObjectStore,
        *,
        lease: timedelta,
        retry_in: timedelta,
        keep_notices: timedelta = timedelta(days=30),
    ) -> None:
        self._maintenance = maintenance
        self._store = store
        self._lease = lease
        self._interval = min(_INTERVAL, lease / 2).total_seconds()
        self._retry_in = retry_in
        self._keep_notices = keep_notices

    async def run(self) -> None:
        """Sweep until cancelled."""
        async for _ in every(self._interval, jitter=_JITTER):
            await asyncio.to_thread(self.sweep)

    def sweep(self) -> None:
        """One scan. A step that fails is logged and does not keep the others from running."""
        steps: tuple[Callable[[], object], ...] = (
            self._rescue,
            self._promote,
            self._republish,
            self._expire,
            self._collect_orphans,
            self._maintenance.prune_outbox,
            self._prune_notifications,
            self._maintenance.prune_usage,
        )
        for step in steps:
            try:
                step()
            except (SQLAlchemyError, StorageError) as error:
                log.warning(
                    "sweep step failed",
                    extra={"step": step.__name__, "error": type(error).__name__},
                )

    def _rescue(self) -> None:
        if count := self._maintenance.rescue_expired_leases(self._retry_in):
            log.warning("tasks of silent workers rescued", extra={"count": count})

    def _republish(self) -> None:
        # A message that was lost costs as much time as a worker that was.
        self._maintenance.republish_overdue(self._lease)

    def _promote(self) -> None:
        if count := self._maintenance.promote_orphaned_followers():
            log.warning("followers of ended tasks promoted", extra={"count": count})

    def _expire(self) -> None:
        for task_id in self._maintenance.expired():
            self._maintenance.mark_expired(task_id)

    def _collect_orphans(self) -> None:
        for key in self._maintenance.orphaned_objects():
            self._store.abort_uploads(key)
            self._store.delete(key)
            self._maintenance.forget_object(key)

    def _prune_notifications(self) -> None:
        self._maintenance.prune_notifications(self._keep_notices)
