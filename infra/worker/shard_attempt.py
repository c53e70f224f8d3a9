"""One shard of another worker's export, from its claim to the row that says how it ended.

Nothing depends on it: a shard that is not written is taken by the worker that has the task.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import ExportStopped
from waybill.exporter.stop import StopToken
from waybill.infra.tasks.model import TaskProgress
from waybill.infra.tasks.shards import ShardClaim
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.export_thread import in_a_thread
from waybill.infra.worker.failures import FailureDecision, classify_error
from waybill.infra.worker.heartbeat import KeepAlive
from waybill.infra.worker.planning import plan_of_task
from waybill.infra.worker.shard_leftovers import may_go_on_after
from waybill.infra.worker.shard_writing import write_claimed
from waybill.infra.worker.stops import LeaseLost
from waybill.infra.worker.thread_priority import yield_to_others

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class ShardAttempt:
    """A claim of a shard and the work on it. Call `run` once."""

    dependencies: WorkerDependencies
    claim: ShardClaim
    stop: StopToken = field(default_factory=StopToken)
    _progress: TaskProgress = field(default_factory=lambda: TaskProgress(0, None, 0, None))

    async def run(self) -> FailureDecision | None:
        """Write the shard, and record the end. Never raises for a shard that failed.

        Returns a fault of the installation, which this worker has to wait out. Whether the export
        failed is for the worker that has the task to say.
        """
        heartbeat = asyncio.create_task(self._keep_alive().run(), name=f"shard-{self._identity}")
        try:
            await in_a_thread(self._write)
            log.info("shard written", extra=self._identity)
        except LeaseLost:
            log.info("shard lost", extra=self._identity)
        except ExportStopped as reason:
            await self._return_shard(reason.code)
        except Exception as error:
            decision = classify_error(error)
            await self._return_shard(decision.code, keep=may_go_on_after(error))
            return decision if decision.fault.of_installation else None
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat
        return None

    def _write(self) -> None:
        yield_to_others()
        plan = plan_of_task(self.dependencies, self.claim.task)
        write_claimed(self.dependencies, plan, self.claim, self.stop, self._note)

    def _note(self, progress: TaskProgress) -> None:
        self._progress = progress

    async def _return_shard(self, code: str, *, keep: bool = True) -> None:
        log.warning("shard not written", extra={**self._identity, "code": code})
        await self._release(keep=keep)

    async def _release(self, *, keep: bool = True) -> None:
        try:
            await asyncio.to_thread(self.dependencies.shards.release, self.claim, keep=keep)
        except SQLAlchemyError:
            log.warning("a shard is left to its lease", extra=self._identity)

    def _keep_alive(self) -> KeepAlive[ShardClaim]:
        settings = self.dependencies.settings
        return KeepAlive(
            self.dependencies.shards,
            self.claim,
            settings.lease,
            settings.stall,
            self.stop,
            read=lambda: self._progress,
            on_stall=self._release,
        )

    @property
    def _identity(self) -> dict[str, object]:
        return {"task": str(self.claim.task.id), "shard": self.claim.shard.number}
