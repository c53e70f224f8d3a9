"""Writing one shard of an export, in the worker that claimed it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial

import waybill
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.shard_end import ShardedEncoding, ShardedFile, ShardEnd
from waybill.exporter.shards.plan import ShardStream, ShareableSource
from waybill.exporter.shards.reached import Reached
from waybill.exporter.shards.write_shard import write_shard
from waybill.exporter.stop import StopToken
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.failpoints import failing_write, failpoint
from waybill.infra.sources.errors import SourceUnavailable
from waybill.infra.tasks.model import TaskProgress
from waybill.infra.tasks.shards import ReachedShard, ShardClaim, TaskShards, WrittenShard
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.set_files import CountedSink, WriteRows, write_file
from waybill.infra.worker.short_exports import LongExport
from waybill.infra.worker.stops import LeaseLost
from waybill.storage.part_run import PartRun
from waybill.storage.parts import MIN_PART_BYTES, Part, least_part_bytes

#: Another number where parts end elsewhere, or other things are on record of shards.
_RECORD = 2

log = logging.getLogger(__name__)


class PlansDiffer(InvalidRequest):
    """This worker would write other bytes than the one that planned the export."""


def fingerprint(plan: ExportPlan) -> str | None:
    """Equal in two processes that write the same bytes of the same rows; None: not known."""
    key = plan.single_flight_key
    if key is None:
        return None
    return hashlib.sha256(f"{waybill.__version__}/{_RECORD}/{key}".encode()).hexdigest()


def encoding_of(plan: ExportPlan, *, is_set: bool) -> ShardedEncoding | None:
    """How shards of the export are written, as files of a set or into one file; None: neither."""
    return plan.format.file_set(plan.dataset.name) if is_set else plan.format.sharded()


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
        SnapshotLost: nobody holds the snapshot any more.
    """
    if fingerprint(plan) != claim.file.fingerprint:
        raise PlansDiffer("Another version of the dataset planned this export.")
    source = dependencies.sources[plan.dataset.reads]
    encoding = encoding_of(plan, is_set=claim.file.is_set)
    if not isinstance(source, ShareableSource) or encoding is None:
        raise PlansDiffer("This worker cannot write shards of this export.")
    with suppress(SourceUnavailable):
        # Where it cannot be held, it may still be read.
        dependencies.holders.keep(
            claim, claim.file, claim.snapshot, partial(source.hold, plan.query)
        )
    begin = _begin_of(claim)
    rest = begin.rest(claim.shard) if begin else claim.shard
    write_rows = partial(_write_rows, dependencies, encoding, plan, claim, stop, on_progress)
    with (
        stop.around_reading(),
        source.open_shard(plan.query, claim.snapshot, rest) as stream,
    ):
        stop.interrupt_with(stream.cancel)
        write = write_file if claim.file.is_set else _write_parts
        rows = partial(write_rows, stream, begin)
        written, size_bytes = write(dependencies, plan, claim, stop, rows)
    progress = _progress(claim, claim.shard.rows, size_bytes)
    failpoint("shard.written")
    if not dependencies.shards.finish(claim, written, progress):
        raise LeaseLost
    failpoint("shard.recorded")


def _begin_of(claim: ShardClaim) -> Reached | None:
    """Where an earlier claim of the shard has left it; None where it begins. Files of sets do."""
    if claim.reached is None:
        return None
    begin = Reached.from_json(claim.reached.reached)
    who = {"task": str(claim.task.id), "shard": claim.shard.number}
    log.info("goes on inside a shard", extra={**who, "rows": begin.rows})
    return begin


def _write_parts(
    dependencies: WorkerDependencies,
    plan: ExportPlan,
    claim: ShardClaim,
    stop: StopToken,
    write_rows: WriteRows,
) -> tuple[WrittenShard, int]:
    file, left = claim.file, claim.reached
    with dependencies.store.part_run(
        file.key,
        file.upload_id,
        first=claim.parts.first,
        most=claim.parts.most,
        part_bytes=file.part_bytes,
        before=[Part(**part) for part in left.parts] if left else [],
    ) as run:
        end = write_rows(_RecordedRun(dependencies.shards, claim, run))
        parts = run.finish()
    return WrittenShard([asdict(part) for part in parts], end.to_json()), run.bytes_uploaded


def _write_rows(
    dependencies: WorkerDependencies,
    encoding: ShardedEncoding,
    plan: ExportPlan,
    claim: ShardClaim,
    stop: StopToken,
    on_progress: Callable[[TaskProgress], None],
    stream: ShardStream,
    begin: Reached | None,
    sink: CountedSink,
) -> ShardEnd:
    file, long = claim.file, LongExport(dependencies.short_exports)

    def report(rows: int) -> None:
        on_progress(_progress(claim, rows, sink.bytes_uploaded))
        long.let_pass()

    return write_shard(
        stream,
        encoding,
        plan.layout,
        claim.snapshot,
        ShardedFile(
            claim.snapshot.rows,
            file.rows_of_shard,
            file.notes,
            least_part_bytes(file.part_bytes),
        ),
        claim.shard,
        sink,
        begin=begin,
        least_bytes=MIN_PART_BYTES,
        on_rows=report,
        stop=stop,
        max_row_bytes=dependencies.settings.memory_budget.max_row_bytes,
    )


class _RecordedRun:
    """The parts of a shard, each of which is on record before a row of the next one is."""

    def __init__(self, shards: TaskShards, claim: ShardClaim, run: PartRun) -> None:
        self._shards = shards
        self._claim = claim
        self._run = run
        self._write = failing_write(run)

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""
        return self._run.bytes_uploaded

    def write(self, data: bytes) -> None:
        """See `ShardSink.write`."""
        self._write(data)

    def end_part(self, reached: Reached) -> None:
        """See `ShardSink.end_part`. Waits for the store.

        Raises:
            LeaseLost: the shard, or the task, has another worker now.
        """
        parts = [asdict(part) for part in self._run.end_part()]
        failpoint("shard.part")
        written = ReachedShard(reached.rows, parts, reached.to_json())
        if not self._shards.record(self._claim, written):
            raise LeaseLost
        failpoint("shard.reached")


def _progress(claim: ShardClaim, rows: int, size_bytes: int) -> TaskProgress:
    return TaskProgress(rows, claim.shard.rows, size_bytes, claim.snapshot.taken_at)
