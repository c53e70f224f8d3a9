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
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from exporter.csv_profiles import CsvProfile
from exporter.datasets import Dataset, Registry
from exporter.errors import ExportCancelled, ExportStopped, LeaseLost, WorkerStopping
from exporter.formats import Format, format_named
from exporter.ports import RowStream, Source
from exporter.run import Outcome, Progress, run_export
from exporter.stop import StopToken
from infra.tasks.model import Claim, Task
from infra.tasks.runs import Finished, Pulse, Reading, TaskRuns
from infra.worker.layouts import layout_for
from infra.worker.verdicts import Verdict, judge
from storage.store import ObjectStore, Upload

log = logging.getLogger(__name__)

#: Progress is shown this often at most; the lease is renewed at least four times in its life.
_PULSE = timedelta(seconds=2)
#: A worker that could not renew for this part of its lease stops by itself.
_GIVE_UP = 2 / 3
#: Bytes an XLSX takes per cell on our sample rows (measured: 6 to 9); decides the part size.
_BYTES_PER_CELL = 10


@dataclass(frozen=True, slots=True)
class WorkerDoors:
    """What an attempt needs from outside."""

    runs: TaskRuns
    store: ObjectStore
    source: Source
    registry: Registry
    lease: timedelta
    retention: timedelta
    link_ttl: timedelta
    retry_ladder: tuple[timedelta, ...]
    timezone: str
    csv_profile: CsvProfile


@dataclass(slots=True, eq=False)
class Attempt:
    """A claim being worked on. Call `run` once; `stop` may be used from anywhere."""

    doors: WorkerDoors
    claim: Claim
    stop: StopToken = field(default_factory=StopToken)
    progress: Progress = field(default_factory=Progress)
    _upload: Upload | None = None

    async def run(self) -> None:
        """Export, and record the end. Never raises for a failed export."""
        task = self.claim.task
        pulse = asyncio.create_task(self._keep_alive(), name=f"lease-{task.id}")
        try:
            finished = await asyncio.to_thread(self._export)
            await self._settle(finished)
        except ExportStopped as reason:
            await self._give_up(reason)
        except Exception as error:
            verdict = judge(error)
            log.log(
                logging.ERROR if verdict.unforeseen else logging.WARNING,
                "export attempt failed",
                exc_info=error if verdict.unforeseen else None,
                extra={"task": str(task.id), "attempt": task.attempt, "code": verdict.code},
            )
            await self._fail(verdict)
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError):
                await pulse

    def _export(self) -> Finished:
        task, doors = self.claim.task, self.doors
        dataset = doors.registry[task.task_type]
        # Rights are checked again: a day may have passed since the request.
        dataset.authorise(task.owner)
        params = dataset.parse(task.params)
        chosen = format_named(task.format, csv_profile=doors.csv_profile)
        key = _object_key(self.claim, chosen)
        outcome = run_export(
            doors.source,
            dataset.query(params, task.owner),
            chosen.encode,
            layout_for(dataset, task, doors.timezone),
            lambda stream: self._sink(key, chosen, stream),
            progress=self.progress,
            stop=self.stop,
        )
        return self._finished(task, dataset, chosen, outcome)

    @contextmanager
    def _sink(self, key: str, chosen: Format, stream: RowStream) -> Iterator[Upload]:
        self.doors.runs.reserve_object(self.claim, key)
        cells = (stream.rows_expected or 0) * len(stream.schema)
        with self.doors.store.open_upload(
            key, content_type=chosen.media_type, expected_bytes=cells * _BYTES_PER_CELL
        ) as upload:
            self._upload = upload
            yield upload

    def _finished(self, task: Task, dataset: Dataset, chosen: Format, outcome: Outcome) -> Finished:
        if self._upload is None:
            raise RuntimeError("an export finished without an upload")
        stored = self._upload.stored
        link = self.doors.store.presign(
            stored.key,
            filename=task.filename,
            content_type=chosen.media_type,
            ttl=self.doors.link_ttl,
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
        )

    async def _settle(self, finished: Finished) -> None:
        """Record SUCCESS, or take the object away again if the task is no longer ours."""
        if await asyncio.to_thread(self.doors.runs.finish, self.claim, finished):
            log.info(
                "export finished",
                extra={
                    "task": str(self.claim.task.id),
                    "rows": finished.rows_written,
                    "bytes": finished.size_bytes,
                },
            )
            return
        await asyncio.to_thread(self.doors.store.delete, finished.object_key)
        await self._give_up(ExportCancelled())

    async def _give_up(self, reason: ExportStopped) -> None:
        if isinstance(reason, LeaseLost):
            log.warning("lease lost", extra={"task": str(self.claim.task.id)})
        elif isinstance(reason, WorkerStopping):
            await asyncio.to_thread(self.doors.runs.release, self.claim)
        else:
            await self._fail(Verdict(reason.code, reason.message, retry=False))

    async def _fail(self, verdict: Verdict) -> None:
        ladder = self.doors.retry_ladder
        rung = ladder[min(self.claim.task.attempt - 1, len(ladder) - 1)]
        await asyncio.to_thread(
            self.doors.runs.fail,
            self.claim,
            code=verdict.code,
            message=verdict.message,
            retry_in=rung if verdict.retry else None,
        )

    async def _keep_alive(self) -> None:
        """Renew the lease until cancelled; ask the export to stop when it is over."""
        interval = min(self.doors.lease / 4, _PULSE).total_seconds()
        patience = self.doors.lease.total_seconds() * _GIVE_UP
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(interval)
            begun = time.monotonic()
            try:
                pulse = await asyncio.to_thread(
                    self.doors.runs.heartbeat, self.claim, self._reading()
                )
            except SQLAlchemyError:
                if time.monotonic() - renewed > patience:
                    self.stop.request(LeaseLost())
                    return
                continue
            if pulse is Pulse.ALIVE:
                renewed = begun
                continue
            self.stop.request(ExportCancelled() if pulse is Pulse.CANCELLED else LeaseLost())
            if pulse is Pulse.LOST:
                return
            renewed = begun

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
