"""An export in shards, in the worker that has the task: plan, shards, and the end of the file.

The worker plans, holds the snapshot, and takes shards itself until all are written; other workers
take some of them meanwhile. Then it writes what follows the last shard, and completes the object.
So an export in shards needs no other worker, and ends with the claim of its task, like any other.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport, LimitExceeded
from waybill.exporter.formats.shard_end import ShardedFile, ShardEnd, combined
from waybill.exporter.run import ExportProgress, ExportResult
from waybill.exporter.shards.plan import ShardPlan, ShareableSource, Snapshot
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken
from waybill.exporter.warning_rules import Warnings
from waybill.infra.estimates.model import estimate_bytes
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.failpoints import failpoint
from waybill.infra.files.object_keys import object_key
from waybill.infra.sources.errors import SnapshotLost
from waybill.infra.tasks.model import Claim
from waybill.infra.tasks.shards import (
    PartNumbers,
    ShardClaim,
    ShardProgress,
    SharedFile,
    WrittenShard,
)
from waybill.infra.tasks.tree_digest import tree_digest
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.shard_writing import fingerprint, write_claimed
from waybill.infra.worker.stops import LeaseLost
from waybill.storage.errors import ChecksumMismatch, StorageError
from waybill.storage.parts import MAX_PARTS, Part, plan_part_bytes, whole_of
from waybill.storage.store import StoredObject

log = logging.getLogger(__name__)

#: How long the database may take to say how large the export is about.
_ESTIMATE = timedelta(seconds=10)
#: Between two looks at the shards of others.
_LOOK_SECONDS = 1.0
#: Each shard has its own share of the part numbers.
_MOST_SHARDS = 200
#: How many times the estimate a shard may take.
_MARGIN = 4

#: The end of a file, from what its shards left.
End = Callable[[ShardedFile, Sequence[ShardEnd]], bytes]


@dataclass(frozen=True, slots=True)
class ShardedResult:
    """A finished export in shards."""

    export: ExportResult
    stored: StoredObject


@dataclass(slots=True)
class ShardedRun:
    """The export of one attempt in shards. Use it from the export's thread."""

    dependencies: WorkerDependencies
    claim: Claim
    plan: ExportPlan
    stop: StopToken
    progress: ExportProgress
    #: How far all shards are, as of the last look.
    together: ShardProgress = field(default_factory=ShardProgress)
    _looked_at: float = 0.0

    def run(self) -> ShardedResult | None:
        """Export in shards; None where the export is to be written as one.

        That is where it is too small, where the dataset has no key, the query an order of its own,
        or the source, the format or the store cannot do it.
        """
        source = self.dependencies.sources[self.plan.dataset.reads]
        encoding, key = self.plan.format.sharded(), self.plan.dataset.key
        mark = fingerprint(self.plan)
        if encoding is None or key is None or mark is None or not may_be_split(self.plan, key):
            return None
        if not isinstance(source, ShareableSource):
            return None
        settings = self.dependencies.settings
        if self._expected_rows() < settings.shard_from_rows:
            return None
        rows = encoding.rows_of_shard(settings.shard_rows)
        query, layout = self.plan.query, self.plan.layout
        with source.share(query, key, rows, _MOST_SHARDS, self.stop) as shards:
            if shards is None or len(shards.shards) < 2:
                return None
            try:
                with source.open_shard(query, shards.snapshot, shards.shards[0]) as first:
                    shown = ShownRows(first, layout)
                    notes = encoding.prepare(shown.schema, shown, layout)
                end = partial(encoding.end, shown.schema, layout)
                return self._run(end, shards, mark, notes)
            except SnapshotLost:
                # A proxy that spreads sessions over servers, or our session has ended. What other
                # workers have read of the snapshot is of no use without the rest.
                log.warning("the snapshot is lost: the export is written as one", extra=self._who)
                self.dependencies.shards.forget(self.claim)
                return None

    def _expected_rows(self) -> int:
        source = self.dependencies.sources[self.plan.dataset.reads]
        if not self.dependencies.store.takes_unequal_parts:
            return 0
        count = source.count(self.plan.query, within=_ESTIMATE)
        return max(count.counted or 0, count.estimated or 0)

    @property
    def _who(self) -> dict[str, str]:
        return {"task": str(self.claim.task.id)}

    def _run(self, end: End, shards: ShardPlan, mark: str, notes: dict[str, Any]) -> ShardedResult:
        rows = shards.snapshot.rows
        most = self.dependencies.settings.max_rows_per_export
        if rows > most:
            raise LimitExceeded(f"The export has more than {most} rows.")
        self.progress.rows_total, self.progress.snapshot_at = rows, shards.snapshot.taken_at
        key = self._reserve()
        store = self.dependencies.store
        upload = store.begin_shared(key, self.plan.format.media_type)
        try:
            numbers = _part_numbers(len(shards.shards))
            part_bytes = self._part_bytes(rows, numbers)
            file = SharedFile(key, upload, part_bytes, shards.shards[0].rows, notes, mark)
            if not self.dependencies.shards.begin(self.claim, file, shards, numbers):
                raise LeaseLost
            written = self._write_all()
            return self._complete(end, shards.snapshot, file, written)
        except BaseException:
            self._abort(key)
            raise

    def _part_bytes(self, rows: int, numbers: Sequence[PartNumbers]) -> int:
        """Large enough for shards of several times the estimate."""
        query = self.plan.query
        columns = len(query.selected_columns) if isinstance(query, sa.Select) else 0
        size = estimate_bytes(self.plan.format.name, rows, columns, past=())
        room = sum(each.most for each in numbers) // _MARGIN
        return max(plan_part_bytes(None), -(-size // room))

    def _reserve(self) -> str:
        task = self.claim.task
        key = object_key(
            self.dependencies.installation,
            task.tenant_id,
            task.id,
            self.claim.fence,
            self.plan.format.extension,
        )
        if not self.dependencies.runs.reserve_object(self.claim, key):
            raise LeaseLost
        return key

    def _write_all(self) -> list[WrittenShard]:
        """Write shards until all are written, by whomever."""
        shards = self.dependencies.shards
        while True:
            self.stop.check()
            if own := shards.claim_own(self.claim):
                self._write(own)
            elif written := shards.written(self.claim):
                return written
            else:
                self._look(lambda: None)
                self.stop.wait(_LOOK_SECONDS)

    def _write(self, own: ShardClaim) -> None:
        shards = self.dependencies.shards
        # Why it is not ours any more is for the heartbeat of the task to say.
        with suppress(LeaseLost):
            write_claimed(
                self.dependencies,
                self.plan,
                own,
                self.stop,
                lambda progress: self._look(lambda: shards.heartbeat(own, progress)),
            )

    def _look(self, record: Callable[[], object]) -> None:
        """Record our own progress, and learn that of all, not more often than once a second."""
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        record()
        self.together = self.dependencies.shards.progress(self.claim.task.id)
        self.progress.rows_done = self.together.rows_done

    def _complete(
        self,
        make_end: End,
        snapshot: Snapshot,
        file: SharedFile,
        written: Sequence[WrittenShard],
    ) -> ShardedResult:
        store = self.dependencies.store
        ends = [ShardEnd.from_json(shard.outcome) for shard in written]
        rows = sum(end.rows for end in ends)
        if rows != snapshot.rows:
            raise IncompleteExport(
                f"The database counted {snapshot.rows:,} rows; {rows:,} were written."
            )
        last = make_end(ShardedFile(snapshot.rows, file.rows_of_shard, file.notes), ends)
        whole = combined(ends, lambda end: end.file) + Checksum.of(last)
        parts = [Part(**part) for shard in written for part in shard.parts]
        with store.part_run(
            file.key,
            file.upload_id,
            first=_FIRST_OF_END,
            most=1,
            part_bytes=file.part_bytes,
            is_last=True,
        ) as run:
            run.write(last)
            parts += run.finish()
        if whole_of(parts) != (whole.size_bytes, whole.crc32):
            raise ChecksumMismatch("The parts in the store are not the file that was rendered.")
        self.stop.check()
        failpoint("w.before_complete")
        stored = store.complete_shared(file.key, file.upload_id, parts)
        failpoint("w.after_complete")
        self.progress.rows_done = rows
        result = ExportResult(
            rows_source=snapshot.rows,
            rows_written=rows,
            size_bytes=whole.size_bytes,
            sha256=tree_digest([*(end.sha256 for end in ends), hashlib.sha256(last).hexdigest()]),
            snapshot_at=snapshot.taken_at,
            warnings=_listed(ends),
        )
        return ShardedResult(result, stored)

    def _abort(self, key: str) -> None:
        """Leave no part behind; what cannot be reached now is collected later."""
        try:
            self.dependencies.store.abort_uploads(key)
        except StorageError as error:
            log.warning("shards not cleared up", extra={"key": key, "why": error.message})


#: The number of the part behind all shards.
_FIRST_OF_END = MAX_PARTS


def _part_numbers(shards: int) -> list[PartNumbers]:
    """Each shard's share of the numbers below the last one."""
    most = (_FIRST_OF_END - 1) // shards
    return [PartNumbers(1 + number * most, most) for number in range(shards)]


def may_be_split(plan: ExportPlan, key: str) -> bool:
    """Whether the rows of the query, sorted by `key`, are what was asked for, and all of it."""
    query = plan.query
    if not isinstance(query, sa.Select) or plan.layout.sheet_by is not None:
        return False
    if plan.format.is_workbook and _has_more_than_rows(plan.layout):
        return False
    order = [getattr(clause, "name", None) for clause in query._order_by_clauses]
    return order in ([], [key]) and query._limit_clause is None and query._offset_clause is None


def _has_more_than_rows(layout: Layout) -> bool:
    """Whether sheets of its own, or anything above the headings, make a workbook one piece."""
    grouped = layout.rows_above or any(column.group for column in layout.columns.values())
    return bool(layout.about or layout.decorate or grouped)


def _listed(ends: Sequence[ShardEnd]) -> list[dict[str, str | int]]:
    warnings: Warnings = Counter()
    for end in ends:
        warnings.update(end.warnings)
    return [
        {"column": column, "rule": rule.value, "count": times}
        for (column, rule), times in sorted(warnings.items())
    ]
