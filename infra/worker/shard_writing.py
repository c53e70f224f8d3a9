"""Writing one shard of an export, in the worker that claimed it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict

import waybill
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.shard_end import ShardedEncoding, ShardedFile
from waybill.exporter.shards.plan import ShareableSource
from waybill.exporter.shards.write_shard import write_shard
from waybill.exporter.stop import StopToken
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.failpoints import failing_write, failpoint
from waybill.infra.tasks.model import TaskProgress
from waybill.infra.tasks.shards import ShardClaim, WrittenShard
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.stops import LeaseLost
from waybill.storage.parts import MIN_PART_BYTES


class PlansDiffer(InvalidRequest):
    """This worker would write other bytes than the one that planned the export."""


def fingerprint(plan: ExportPlan) -> str | None:
    """Equal in two processes that write the same bytes of the same rows; None: not known."""
    key = plan.single_flight_key
    if key is None:
        return None
    return hashlib.sha256(f"{waybill.__version__}/{key}".encode()).hexdigest()


def write_claimed(
    dependencies: WorkerDependencies,
    plan: ExportPlan,
    claim: ShardClaim,
    stop: StopToken,
    on_progress: Callable[[TaskProgress], None],
) -> None:
    """Write the shard of `claim`, and record it.

    Raises:
        LeaseLost: the shard, or the task, has another worker now.
        PlansDiffer: the plan of the export is not the one that this worker makes.
        SourceUnavailable: nobody holds the snapshot any more.
    """
    if fingerprint(plan) != claim.file.fingerprint:
        raise PlansDiffer("Another version of the dataset planned this export.")
    source, encoding = dependencies.sources[plan.dataset.reads], plan.format.sharded()
    if not isinstance(source, ShareableSource) or encoding is None:
        raise PlansDiffer("This worker cannot write shards of this export.")
    written, progress = _write(dependencies, source, encoding, plan, claim, stop, on_progress)
    failpoint("shard.written")
    if not dependencies.shards.finish(claim, written, progress):
        raise LeaseLost
    failpoint("shard.recorded")


def _write(
    dependencies: WorkerDependencies,
    source: ShareableSource,
    encoding: ShardedEncoding,
    plan: ExportPlan,
    claim: ShardClaim,
    stop: StopToken,
    on_progress: Callable[[TaskProgress], None],
) -> tuple[WrittenShard, TaskProgress]:
    file = claim.file
    with (
        stop.around_reading(),
        source.open_shard(plan.query, claim.snapshot, claim.shard) as stream,
        dependencies.store.part_run(
            file.key,
            file.upload_id,
            first=claim.parts.first,
            most=claim.parts.most,
            part_bytes=file.part_bytes,
        ) as run,
    ):
        stop.interrupt_with(stream.cancel)

        def report(rows: int) -> None:
            on_progress(_progress(claim, rows, run.bytes_uploaded))

        end = write_shard(
            stream,
            encoding,
            plan.layout,
            claim.snapshot,
            ShardedFile(claim.snapshot.rows, file.rows_of_shard, file.notes),
            claim.shard,
            failing_write(run),
            least_bytes=MIN_PART_BYTES,
            on_rows=report,
            stop=stop,
            max_row_bytes=dependencies.settings.memory_budget.max_row_bytes,
        )
        parts = run.finish()
        progress = _progress(claim, end.rows, run.bytes_uploaded)
    return WrittenShard([asdict(part) for part in parts], end.to_json()), progress


def _progress(claim: ShardClaim, rows: int, size_bytes: int) -> TaskProgress:
    return TaskProgress(rows, claim.shard.rows, size_bytes, claim.snapshot.taken_at)
