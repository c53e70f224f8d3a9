"""One attempt at one task, from the claim to the row that says how it ended.

The export runs in a thread; the event loop renews its lease and carries cancellation. What
the worker believes about its lease is judged by the monotonic clock, and what it may still
write is judged by the database through the fence: a worker that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.errors import (
    ExportCancelled,
    ExportStopped,
    LimitExceeded,
)
from waybill.exporter.formats.csv.profiles import CsvProfile
from waybill.exporter.formats.registry import Format, format_named
from waybill.exporter.ports import RowStream, Sink
from waybill.exporter.run import ExportProgress, ExportResult, run_export
from waybill.exporter.stop import StopToken
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.exports.layouts import layout_for
from waybill.infra.exports.single_flight_key import FlightKeys
from waybill.infra.failpoints import failing, failpoint
from waybill.infra.sources import Sources
from waybill.infra.tasks.lifecycle.runs import Finished, Reading, TaskRuns
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.worker.failures import FailureDecision, classify_error
from waybill.infra.worker.heartbeat import KeepAlive
from waybill.infra.worker.stops import LeaseLost, WorkerStopping
from waybill.storage.store import ObjectStore, Upload

log = logging.getLogger(__name__)

#: Bytes an XLSX takes per cell on our sample rows (measured: 6 to 9); decides the part size.
_BYTES_PER_CELL = 10

#: The estimate delays an export by at most twice this, where the source is slow to answer.
_ESTIMATE_TIMEOUT = timedelta(seconds=0.1)


@dataclass(frozen=True, slots=True)
class WorkerDoors:
    """What an attempt needs from outside."""

    runs: TaskRuns
    store: ObjectStore
    sources: Sources
    registry: Registry
    estimator: Estimator
    lease: timedelta
    stall: timedelta
    retention: timedelta
    link_ttl: timedelta
    retry_ladder: tuple[timedelta, ...]
    timezone: str
    csv_profile: CsvProfile
    flights: FlightKeys
    max_rows: int


@dataclass(slots=True, eq=False)
class Attempt:
    """A claim being worked on. Call `run` once; `stop` may be used from anywhere."""

    doors: WorkerDoors
    claim: Claim
    stop: StopToken = field(default_factory=StopToken)
    progress: ExportProgress = field(default_factory=ExportProgress)
    _upload: Upload | None = None
    _flight_key: str | None = None

    @property
    def _identity(self) -> dict[str, object]:
        """What every line of the log says about this attempt."""
        return {"task": str(self.claim.task.id), "attempt": self.claim.task.attempt}

    async def run(self) -> None:
        """Export, and record the end. Never raises for a failed export."""
        task = self.claim.task
        pulse = asyncio.create_task(self._keep_alive().run(), name=f"lease-{task.id}")
        try:
            await self._settle(await self._exported())
        except ExportStopped as reason:
            await self._give_up(reason)
        except Exception as error:
            decision = classify_error(error)
            log.log(
                logging.ERROR if decision.unexpected else logging.WARNING,
                "export attempt failed",
                exc_info=error if decision.unexpected else None,
                extra={**self._identity, "code": decision.code},
            )
            await self._fail(decision)
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError):
                await pulse

    async def _exported(self) -> Finished:
        """Export in a thread of its own.

        The event loop's own threads are few, and heartbeats need them: exports that took them
        all would starve the leases they run under.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="waybill-export")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, self._export)
        finally:
            thread.shutdown(wait=False)

    def _export(self) -> Finished:
        task, doors = self.claim.task, self.doors
        dataset = doors.registry[task.task_type]
        # Rights are checked again: a day may have passed since the request.
        dataset.authorise(task.owner)
        params = dataset.parse(task.params)
        chosen = format_named(task.format, csv_profile=doors.csv_profile)
        self._record_estimate(dataset, params)
        key = _object_key(self.claim, chosen)
        query = dataset.query(params, task.owner)
        self._flight_key = doors.flights.of(dataset, query, task.params, task.owner, chosen.name)
        outcome = run_export(
            doors.sources[dataset.reads],
            query,
            chosen.encode,
            layout_for(dataset, task, doors.timezone),
            lambda stream: self._sink(key, chosen, stream),
            progress=self.progress,
            stop=self.stop,
        )
        return self._finished(task, dataset, chosen, outcome)

    def _record_estimate(self, dataset: Dataset, params: BaseModel) -> None:
        """Estimate this export and record it with the first attempt."""
        task, doors = self.claim.task, self.doors
        if task.attempt > 1:
            return
        try:
            estimate = doors.estimator.estimate(
                task.owner, dataset, params, task.format, within=_ESTIMATE_TIMEOUT
            )
            doors.runs.record_estimate(
                self.claim,
                planned_rows=estimate.planner_rows,
                rows=estimate.rows,
                size_bytes=estimate.size_bytes,
                seconds=estimate.seconds,
            )
        except Exception as error:
            # A failed estimate must not fail the export; a real fault will show again.
            why = type(error).__name__
            log.warning("export runs without an estimate", extra={**self._identity, "why": why})

    @contextmanager
    def _sink(self, key: str, chosen: Format, stream: RowStream) -> Iterator[Sink]:
        if (stream.rows_expected or 0) > self.doors.max_rows:
            raise LimitExceeded(f"The export has more than {self.doors.max_rows} rows.")
        self.doors.runs.reserve_object(self.claim, key)
        cells = (stream.rows_expected or 0) * len(stream.schema)
        with self.doors.store.open_upload(
            key, content_type=chosen.media_type, expected_bytes=cells * _BYTES_PER_CELL
        ) as upload:
            self._upload = upload
            yield failing(upload)
            failpoint("w.before_complete")
        failpoint("w.after_complete")

    def _finished(
        self, task: Task, dataset: Dataset, chosen: Format, outcome: ExportResult
    ) -> Finished:
        if self._upload is None:
            raise RuntimeError("an export finished without an upload")
        stored = self._upload.stored
        link = self.doors.store.presign(
            stored.key,
            filename=task.filename,
            content_type=chosen.media_type,
            # A link must not outlive its file.
            ttl=min(self.doors.link_ttl, self.doors.retention),
        )
        return Finished(
            object_key=stored.key,
            etag=stored.etag,
            sha256=outcome.sha256,
            size_bytes=outcome.size_bytes,
            rows_source=outcome.rows_source,
            rows_written=outcome.rows_written,
            snapshot_at=outcome.snapshot_at,
            warnings=outcome.warnings,
            download_url=link.url,
            url_expires_at=link.expires_at,
            retention=self.doors.retention,
            flight_key=self._flight_key,
        )

    async def _settle(self, finished: Finished) -> None:
        """Record SUCCESS, or take the object away again if the task is no longer ours."""
        if await asyncio.to_thread(self.doors.runs.finish, self.claim, finished):
            failpoint("w.after_success")
            log.info(
                "export finished",
                extra={
                    **self._identity,
                    "rows": finished.rows_written,
                    "bytes": finished.size_bytes,
                },
            )
            return
        await asyncio.to_thread(self.doors.store.delete, finished.object_key)
        await self._give_up(ExportCancelled())

    async def _give_up(self, reason: ExportStopped) -> None:
        if isinstance(reason, LeaseLost):
            log.warning("lease lost", extra=self._identity)
        elif isinstance(reason, WorkerStopping):
            await self._record(lambda: self.doors.runs.release(self.claim))
        else:
            await self._fail(FailureDecision(reason.code, reason.message, retry=False))

    async def _fail(self, decision: FailureDecision) -> None:
        ladder = self.doors.retry_ladder
        rung = ladder[min(self.claim.task.attempt - 1, len(ladder) - 1)]
        await self._record(
            lambda: self.doors.runs.fail(
                self.claim,
                code=decision.code,
                message=decision.message,
                retry_in=rung if decision.retry else None,
            )
        )

    async def _record(self, ending: Callable[[], object]) -> None:
        """Tell the database how this ended. If it is away, the end of the lease says it."""
        try:
            await asyncio.to_thread(ending)
        except SQLAlchemyError:
            log.warning("an attempt's end is left to its lease", extra=self._identity)

    def _keep_alive(self) -> KeepAlive:
        doors = self.doors
        return KeepAlive(
            doors.runs,
            self.claim,
            doors.lease,
            doors.stall,
            self.stop,
            read=self._reading,
            on_stall=self._stalled,
        )

    async def _stalled(self) -> None:
        """Give the task to somebody else now. What hangs holds a fence that is too small."""
        log.error("export stalled", extra={"alert": True, **self._identity})
        await self._fail(FailureDecision("stalled", "The export got no further.", retry=True))

    def _reading(self) -> Reading:
        return Reading(
            rows_done=self.progress.rows_done,
            rows_total=self.progress.rows_total,
            bytes_uploaded=self._upload.bytes_uploaded if self._upload else 0,
            snapshot_at=self.progress.snapshot_at,
        )


def _object_key(claim: Claim, chosen: Format) -> str:
    """A key nobody can guess and no two attempts share; it holds no text of a user."""
    tenant = hashlib.sha256(claim.task.tenant_id.encode()).hexdigest()[:16]
    attempt = f"{claim.fence}-{secrets.token_hex(8)}"
    return f"exports/{tenant}/{claim.task.id}/{attempt}.{chosen.extension}"
