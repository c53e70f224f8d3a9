"""The sweeper: finds work that lost its worker or its message, and files that no task refers to.

Everything it does is a compare-and-set, so any number of sweepers may run, at any pace. With
a broker that lost everything, the sweeper and the relay alone still bring every task to an end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.files.background import BackgroundReconcile
from waybill.infra.tasks.audit_chain import AuditChain
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.worker.audit_archiver import AuditArchiver
from waybill.infra.worker.worker_locks import ended_workers
from waybill.storage.errors import StorageError, StorageRejected, StorageUnavailable
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
        outages: TaskOutages | None = None,
        give_up_after: timedelta = timedelta(days=1),
        pruning: Pruning | None = None,
        audit_chain: AuditChain | None = None,
        audit_archiver: AuditArchiver | None = None,
        reconcile: BackgroundReconcile | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `pruning`, no old rows are deleted; without an `audit_chain`, no checkpoints are
        added to the audit log; without an `audit_archiver`, its entries stay; without `reconcile`,
        bucket and database are not compared. `clock` returns seconds.
        """
        self._maintenance = maintenance
        self._store = store
        self._lease = lease
        self._interval = min(_INTERVAL, lease / 2).total_seconds()
        self._retry_in = retry_in
        self._outages = outages
        self._give_up_after = give_up_after
        self._pruning = pruning
        self._clock = clock
        self._stopped = False
        #: The last key that the scan before could not delete.
        self._passed = ""
        self._reported: set[tuple[str, str | None]] = set()
        self._audit_chain = audit_chain
        self._audit_archiver = audit_archiver
        self._reconcile = reconcile

    async def run(self) -> None:
        """Sweep until cancelled."""
        try:
            async for _ in every(self._interval, jitter=_JITTER):
                while await asyncio.to_thread(self.sweep):
                    pass
        finally:
            # A scan under way ends after its step.
            self._stopped = True

    def sweep(self) -> bool:
        """One scan. A step that fails is logged and does not keep the others from running.

        A step that did something has another turn after the others, until nothing is left. After
        an interval the scan ends anyway, and returns True: silent workers come first again.
        """
        end = self._clock() + self._interval
        due = self._steps()
        while due:
            due = [step for step in due if not self._stopped and self._run(step)]
            if self._clock() >= end:
                return bool(due)
        return False

    def _steps(self) -> list[Callable[[], object]]:
        return [
            self._rescue,
            self._give_up,
            self._maintenance.end_unanswered,
            self._promote,
            self._republish,
            self._expire,
            self._collect_orphans,
            *(self._pruning.steps() if self._pruning else ()),
            self._extend_audit_chain,
            *((self._audit_archiver.archive,) if self._audit_archiver else ()),
            self._compare_bucket,
        ]

    def _run(self, step: Callable[[], object]) -> bool:
        """Run a step; whether it did something."""
        try:
            return bool(step())
        except (SQLAlchemyError, StorageError) as error:
            log.warning(
                "sweep step failed",
                extra={"step": step.__name__, "error": type(error).__name__},
            )
            return False

    def rescue_ended(self, home: Path) -> None:
        """Take the tasks of the workers of `home` whose processes have ended; see `worker_locks`.

        While the database is away they are left to their leases.
        """
        try:
            with ended_workers(home) as workers:
                if workers and self._maintenance.rescue_leases_of(workers, self._retry_in):
                    log.warning("tasks of ended workers rescued", extra={"workers": workers})
        except SQLAlchemyError:
            log.warning("tasks of ended workers are left to their leases")

    def _rescue(self) -> int:
        if count := self._maintenance.rescue_expired_leases(self._retry_in):
            log.warning("tasks of silent workers rescued", extra={"count": count})
        return count

    def _give_up(self) -> int:
        count = self._outages.give_up(self._give_up_after) if self._outages else 0
        if count:
            log.error("tasks waited too long", extra={"alert": True, "count": count})
        return count

    def _republish(self) -> None:
        # A message that was lost costs as much time as a worker that was. One batch is enough: the
        # end of a run claims the next task without a message.
        self._maintenance.republish_overdue(self._lease)

    def _promote(self) -> int:
        if count := self._maintenance.promote_orphaned_followers():
            log.warning("followers of ended tasks promoted", extra={"count": count})
        return count

    def _extend_audit_chain(self) -> None:
        if self._audit_chain is not None:
            self._audit_chain.extend_when_due()

    def _compare_bucket(self) -> None:
        if self._reconcile is not None:
            self._reconcile.step()

    def _expire(self) -> int:
        expired = self._maintenance.expired()
        return sum(self._maintenance.mark_expired(task_id) for task_id in expired)

    def _collect_orphans(self) -> int:
        """Delete a batch of files that no task refers to; returns how many.

        A file that may not be deleted stops no other one: the next scan goes on behind it, and
        comes back to it when all have had their turn.
        """
        keys = self._maintenance.orphaned_objects(after=self._passed)
        if self._passed and not keys:
            keys = self._maintenance.orphaned_objects()
        self._passed = ""
        deleted = 0
        for key in keys:
            try:
                self._abort_uploads(key)
                self._store.delete(key)
            except StorageUnavailable:
                self._passed = key
                raise
            except StorageError as error:
                self._passed = key
                self._report("file not deleted", key, error)
            else:
                self._maintenance.forget_object(key)
                deleted += 1
        return deleted

    def _abort_uploads(self, key: str) -> None:
        """Abort what an attempt left open; where that is refused, the bucket's rule does it."""
        try:
            self._store.abort_uploads(key)
        except StorageRejected as error:
            self._report("open uploads not looked for", None, error)

    def _report(self, what: str, key: str | None, error: StorageError) -> None:
        """Log what the store refuses, once in the life of this process."""
        if (what, key) not in self._reported:
            self._reported.add((what, key))
            extra = {"error": type(error).__name__, "reason": error.message}
            log.warning(what, extra=extra if key is None else {**extra, "key": key})
