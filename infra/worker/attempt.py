"""One attempt at one task, from the claim to the row that says how it ended.

The export runs in a thread of its own; the event loop renews the lease and passes cancellation
on. The worker judges its lease by the monotonic clock, and the database judges by the fence what
the worker may still write: a worker that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.blocks.parallel import on_one_thread
from waybill.exporter.errors import (
    ExportCancelled,
    ExportStopped,
    LimitExceeded,
)
from waybill.exporter.ports import RowsAhead, Sink
from waybill.exporter.run import ExportProgress, ExportResult
from waybill.exporter.stop import StopToken
from waybill.infra.broker.concurrency import wait_for_event
from waybill.infra.estimates.model import estimate_bytes
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.failpoints import failing, failpoint
from waybill.infra.files.object_keys import object_key
from waybill.infra.tasks.file_sets import shown_as
from waybill.infra.tasks.model import Claim, Finished, Manifest, TaskProgress
from waybill.infra.tasks.shards import ShardProgress
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.tracing.spans import LaterSpan, span
from waybill.infra.worker.attempt_figures import AttemptFigures
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.export_thread import in_a_thread
from waybill.infra.worker.failures import FailureDecision, classify_error
from waybill.infra.worker.heartbeat import KeepAlive
from waybill.infra.worker.planning import plan_of_task
from waybill.infra.worker.prediction import Prediction
from waybill.infra.worker.run_plan import run_plan
from waybill.infra.worker.sharded_run import ShardedRun
from waybill.infra.worker.short_exports import LONG_FROM_ROWS, LongExportSink
from waybill.infra.worker.stops import LeaseLost, WorkerStopping
from waybill.infra.worker.thread_priority import yield_to_others
from waybill.storage.store import StoredObject, Upload

log = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Attempt:
    """A claim and the work on it. Call `run` once; `stop` may be used from any thread."""

    dependencies: WorkerDependencies
    claim: Claim
    stop: StopToken = field(default_factory=StopToken)
    progress: ExportProgress = field(default_factory=ExportProgress)
    _upload: Upload | None = None
    _sharded: ShardedRun | None = None
    _prediction: Prediction | None = None
    #: When it stepped aside, by the monotonic clock; None while it runs.
    _paused_at: float | None = None
    _figures: AttemptFigures = field(init=False)

    def __post_init__(self) -> None:
        self._figures = AttemptFigures(self.claim.task)

    async def run(self) -> FailureDecision | None:
        """Export, and record the end. Never raises for a failed export.

        Returns why the attempt failed, None when it did not.
        """
        task = self.claim.task
        about: dict[str, str | int] = {
            "waybill.task": str(task.id),
            "waybill.dataset": task.task_type,
            "waybill.format": task.format,
            "waybill.attempt": task.attempt,
        }
        with span("waybill.attempt", about, parent=task.traceparent) as current:
            failure = await self._run()
            current.set_attributes(self._figures.attributes)
        return failure

    async def _run(self) -> FailureDecision | None:
        heartbeat = asyncio.create_task(
            self._keep_alive().run(), name=f"lease-{self.claim.task.id}"
        )
        try:
            await self._record_success(await in_a_thread(self._export))
        except ExportStopped as reason:
            await self._record_stop(reason)
        except Exception as error:
            decision = classify_error(error)
            log.log(
                logging.ERROR if decision.unexpected else logging.WARNING,
                "export attempt failed",
                exc_info=error if decision.unexpected else None,
                extra={**self._identity, "code": decision.code},
            )
            await self._record_failure(decision)
            return decision
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat
        return None

    async def hold(self, within: timedelta) -> bool:
        """Stop the export between two blocks; False, and no stop, if none ends `within`.

        Its snapshot, its lease and its memory stay. `release_hold` or `go_on` lets it go on.
        """
        reached = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.stop.pause(partial(loop.call_soon_threadsafe, reached.set))
        await wait_for_event(reached, within.total_seconds())
        if not reached.is_set():
            self.stop.resume()
        return reached.is_set()

    def release_hold(self) -> None:
        """Let an export go on that was held, and has not stepped aside."""
        self.stop.resume()

    async def step_aside(self) -> None:
        """Record that the export is held for as long as others run."""
        self._paused_at = time.monotonic()
        await self._record(lambda: self.dependencies.runs.step_aside(self.claim))

    async def go_on(self) -> None:
        """Let an export go on that stepped aside."""
        paused_for = timedelta(seconds=time.monotonic() - (self._paused_at or time.monotonic()))
        self._paused_at = None
        self.stop.resume()
        await self._record(lambda: self.dependencies.runs.go_on(self.claim, paused_for))

    def _export(self) -> Finished:
        plan = plan_of_task(self.dependencies, self.claim.task)
        # What took a process down may have been too much at once.
        alone = on_one_thread() if self.claim.task.run_alone else nullcontext()
        with (
            self.dependencies.short_exports.running(),
            self._predicted(plan),
            span("waybill.export"),
            alone,
        ):
            return self._export_in_shards(plan) or self._export_as_one(plan)

    def _export_in_shards(self, plan: ExportPlan) -> Finished | None:
        if plan.asked.password:
            return None
        run = ShardedRun(self.dependencies, self.claim, plan, self.stop, self.progress)
        self._sharded = run
        done = run.go_on() if self.claim.task.fence > 1 else None
        # What took a process down may do so again, and shards of it would be in several.
        if done is None and not self.claim.task.run_alone:
            done = run.run()
        self._sharded = None if done is None else run
        return (
            None if done is None else self._finished(plan, done.export, done.stored, done.manifest)
        )

    def _export_as_one(self, plan: ExportPlan) -> Finished:
        source = self.dependencies.sources[plan.dataset.reads]
        result = run_plan(
            source,
            plan,
            lambda ahead: self._open_upload(plan, ahead),
            max_row_bytes=self.dependencies.settings.memory_budget.max_row_bytes,
            progress=self.progress,
            stop=self.stop,
            take_keys=self._take_keys,
        )
        if self._upload is None:
            raise RuntimeError("an export finished without an upload")
        return self._finished(plan, result, self._upload.stored)

    def _take_keys(self) -> FileKeys:
        taken = self.dependencies.runs.take_keys(self.claim)
        if taken is None:
            raise LeaseLost()
        return self.dependencies.key_seal.open(self.claim.task.id, *taken)

    @contextmanager
    def _predicted(self, plan: ExportPlan) -> Iterator[None]:
        """A later attempt keeps the first estimate."""
        if self.claim.task.predicted_rows is not None:
            yield
            return
        estimator, runs = self.dependencies.estimator, self.dependencies.runs
        self._prediction = Prediction(estimator, runs, self.claim, plan)
        with self._prediction.beside():
            yield

    @contextmanager
    def _open_upload(self, plan: ExportPlan, stream: RowsAhead) -> Iterator[Sink]:
        max_rows = self.dependencies.settings.max_rows_per_export
        if (stream.rows_expected or 0) > max_rows:
            raise LimitExceeded(f"The export has more than {max_rows} rows.")
        if self._prediction is not None:
            self._prediction.from_count(stream)
        task = self.claim.task
        key = object_key(
            self.dependencies.installation,
            task.tenant_id,
            task.id,
            self.claim.fence,
            plan.extension,
        )
        if not self.dependencies.runs.reserve_object(self.claim, key):
            raise LeaseLost()
        completing = LaterSpan("waybill.complete")
        with (
            completing,
            self.dependencies.store.open_upload(
                key,
                content_type=plan.media_type,
                expected_bytes=estimate_bytes(
                    plan.format.name, stream.rows_expected or 0, len(stream.schema), past=()
                ),
            ) as upload,
        ):
            self._upload = upload
            yield self._sink(upload, stream)
            failpoint("w.before_complete")
            completing.begin()
        failpoint("w.after_complete")

    def _sink(self, upload: Upload, stream: RowsAhead) -> Sink:
        sink = failing(upload)
        if (stream.rows_expected or 0) < LONG_FROM_ROWS:
            return sink
        yield_to_others()
        return LongExportSink(sink, self.dependencies.short_exports)

    def _finished(
        self,
        plan: ExportPlan,
        result: ExportResult,
        stored: StoredObject,
        manifest: Manifest | None = None,
    ) -> Finished:
        settings = self.dependencies.settings
        shown = shown_as(stored.key, plan.filename, plan.format.name, plan.media_type)
        link = self.dependencies.store.presign(
            stored.key,
            filename=shown.filename,
            content_type=shown.media_type,
            # A link must not outlive its file.
            ttl=min(settings.link_ttl, settings.retention),
        )
        return Finished(
            object_key=stored.key,
            etag=stored.etag,
            sha256=result.sha256,
            size_bytes=result.size_bytes,
            rows_source=result.rows_source,
            rows_written=result.rows_written,
            snapshot_at=result.snapshot_at,
            warnings=result.warnings,
            download_url=link.url,
            url_expires_at=link.expires_at,
            retention=settings.retention,
            flight_key=plan.single_flight_key,
            predicted=self._prediction.unrecorded if self._prediction else None,
            manifest=manifest,
        )

    async def _record_success(self, finished: Finished) -> None:
        """Record SUCCESS, or delete the object if the task is no longer ours, and only ours."""
        dependencies = self.dependencies
        if await asyncio.to_thread(dependencies.runs.finish, self.claim, finished):
            failpoint("w.after_success")
            self._figures.succeeded(finished)
            task = self.claim.task
            log.info(
                "export finished",
                extra={
                    **self._identity,
                    "dataset": task.task_type,
                    "format": task.format,
                    "tenant": task.tenant_id,
                    "rows": finished.rows_written,
                    "bytes": finished.size_bytes,
                    "seconds": round(self._figures.seconds, 3),
                },
            )
            return
        if self._sharded is None:
            await asyncio.to_thread(dependencies.store.delete, finished.object_key)
        # Otherwise it may be the file of an attempt that has taken the plan over, and else it is
        # collected.
        await self._record_stop(ExportCancelled())

    async def _record_stop(self, reason: ExportStopped) -> None:
        if isinstance(reason, LeaseLost):
            log.warning("lease lost", extra=self._identity)
            self._figures.ended("lost")
        elif isinstance(reason, WorkerStopping):
            is_ours = await self._record(lambda: self.dependencies.runs.release(self.claim))
            self._figures.ended("released" if is_ours else "lost")
        else:
            await self._record_failure(FailureDecision(reason.code, reason.message, retry=False))

    async def _record_failure(self, decision: FailureDecision) -> None:
        task, runs = self.claim.task, self.dependencies.runs
        delays = self.dependencies.settings.retry_delays
        if decision.fault.of_installation:
            is_ours = await self._record(
                lambda: runs.postpone(
                    self.claim,
                    waiting_for=decision.fault,
                    code=decision.code,
                    message=decision.message,
                    delays=(delays[0], delays[-1]),
                )
            )
            self._figures.failed(decision.code, TaskStatus.PENDING if is_ours else None)
            return
        status = await self._record(
            lambda: runs.fail(
                self.claim,
                code=decision.code,
                message=decision.message,
                retry_in=decision.delay(delays, task.attempt, task.max_attempts),
                run_alone=decision.run_alone,
            )
        )
        self._figures.failed(decision.code, status)

    async def _record(self, write: Callable[[], _T]) -> _T | None:
        """Write to the database. In an outage a heartbeat, or the end of the lease, replaces it."""
        try:
            return await asyncio.to_thread(write)
        except SQLAlchemyError:
            log.warning("a change of an attempt is left to its lease", extra=self._identity)
            return None

    def _keep_alive(self) -> KeepAlive[Claim]:
        settings = self.dependencies.settings
        return KeepAlive(
            self.dependencies.runs,
            self.claim,
            settings.lease,
            settings.stall,
            self.stop,
            read=self._progress_now,
            on_stall=self._on_stall,
        )

    async def _on_stall(self) -> None:
        """Return the task for another attempt now. The hanging one then holds an old fence."""
        log.error("export stalled", extra={"alert": True, **self._identity})
        await self._record_failure(
            FailureDecision("stalled", "The export got no further.", retry=True)
        )

    def _progress_now(self) -> TaskProgress:
        together = self._sharded.together if self._sharded else ShardProgress()
        return TaskProgress(
            rows_done=self.progress.rows_done,
            rows_total=self.progress.rows_total,
            bytes_uploaded=self._bytes_uploaded,
            snapshot_at=self.progress.snapshot_at,
            paused=self._paused_at is not None,
            shards=together.shards or None,
            shards_done=together.done,
            files=(together.shards or None) if self._sharded and self._sharded.is_set else None,
        )

    @property
    def _bytes_uploaded(self) -> int:
        if self._sharded is not None:
            return self._sharded.together.bytes_uploaded
        return self._upload.bytes_uploaded if self._upload else 0

    @property
    def _identity(self) -> dict[str, object]:
        """What every log line of this attempt contains."""
        return {"task": str(self.claim.task.id), "attempt": self.claim.task.attempt}
