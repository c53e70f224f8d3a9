"""An export in shards, in the worker that has the task: plan, shards, and the end of the file.

The worker plans, and takes shards itself until all are written; other workers take some of them
meanwhile. Then it writes what follows the last shard, and completes the object. So an export in
shards needs no other worker, and ends with the claim of its task, like any other. The next attempt
after a loss goes on with the plan, its upload and what is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.shard_end import ShardsDoNotFit
from waybill.exporter.run import ExportProgress
from waybill.exporter.shards.plan import HeldSnapshot, ShardPlan, ShareableSource, Snapshot
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken
from waybill.infra.estimates.model import estimate_bytes
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.files.object_keys import object_key
from waybill.infra.sources.errors import SnapshotLost, SourceUnavailable
from waybill.infra.tasks.file_sets import manifest_key
from waybill.infra.tasks.model import Claim
from waybill.infra.tasks.shard_plans import LeftPlan
from waybill.infra.tasks.shards import (
    PartNumbers,
    ShardClaim,
    ShardProgress,
    SharedFile,
    WrittenShard,
)
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.shard_completion import (
    End,
    ShardedResult,
    complete_file,
    end_of,
    part_numbers,
)
from waybill.infra.worker.shard_leftovers import may_go_on_after
from waybill.infra.worker.shard_writing import encoding_of, fingerprint, write_claimed
from waybill.infra.worker.sharding_rules import Split, split_of
from waybill.infra.worker.stops import LeaseLost
from waybill.infra.worker.thread_priority import yield_to_others
from waybill.storage.errors import StorageError
from waybill.storage.parts import plan_part_bytes

log = logging.getLogger(__name__)

#: Between two looks at the shards of others.
_LOOK_SECONDS = 1.0
#: Each shard has its own share of the part numbers.
_MOST_SHARDS = 200
#: How many times the estimate a shard may take: four, in parts that end between two rows and so
#: may have five eighths of the bytes that others have.
_MARGIN = 7
#: Why an export begins at row 0, in the audit log.
_NO_SNAPSHOT = "no session holds the snapshot any more"
_OTHER_PLAN = "another version of the dataset planned it"


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
    #: Whether its shards are files of a set.
    is_set: bool = False
    _looked_at: float = 0.0

    def run(self) -> ShardedResult | None:
        """Export in shards; None where the export is to be written as one.

        That is where `split_of` says so, and where the database finds that the key is none.
        """
        split = split_of(self.dependencies, self.plan)
        if split is None:
            return None
        source, encoding = split.source, split.encoding
        query, layout = self.plan.query, self.plan.layout
        with ExitStack() as planning:
            shards = planning.enter_context(
                source.share(query, split.key, split.rows_of_shard, _MOST_SHARDS, self.stop)
            )
            if shards is None or len(shards.shards) < 2:
                return None
            try:
                with source.open_shard(query, shards.snapshot, shards.shards[0]) as first:
                    shown = ShownRows(first, layout)
                    notes = encoding.prepare(shown.schema, shown, layout)
                end = end_of(encoding, shown.schema, layout, shards.snapshot)
                held = None
                with suppress(SourceUnavailable):
                    held = source.hold(query, shards.snapshot)
                    planning.close()
                file = self._begin(held, shards, split, notes)
                return self._write_file(end, shards.snapshot, file)
            except SnapshotLost:
                # A proxy that spreads sessions over servers, or our session has ended. What other
                # workers have read of the snapshot is of no use without the rest.
                self._start_over(_NO_SNAPSHOT)
                return None
            except ShardsDoNotFit as reason:
                log.warning("written as one: %s", reason.message, extra=self._who)
                return None

    def go_on(self) -> ShardedResult | None:
        """Go on with what an earlier attempt has left; None without anything of use.

        Its file is that of an attempt that was not disturbed. What cannot be gone on with is given
        up, and the audit log says why.
        """
        left = self.dependencies.plans.left(self.claim)
        if left is None:
            return None
        source = self.dependencies.sources[self.plan.dataset.reads]
        encoding = encoding_of(self.plan, is_set=left.file.is_set)
        query, layout = self.plan.query, self.plan.layout
        is_same = fingerprint(self.plan) == left.file.fingerprint
        if not (is_same and isinstance(source, ShareableSource) and encoding):
            self._start_over(_OTHER_PLAN)
            return None
        try:
            snapshot = self._hold_again(source, left)
            with source.open_shard(query, snapshot, left.shards[0]) as first:
                schema = ShownRows(first, layout).schema
            if not self.dependencies.plans.adopt(self.claim, left, snapshot):
                raise LeaseLost
            log.info("goes on after a loss", extra={**self._who, "shards": left.done})
            end = end_of(encoding, schema, layout, snapshot)
            return self._write_file(end, snapshot, left.file)
        except SnapshotLost:
            self._start_over(_NO_SNAPSHOT)
            return None
        except ShardsDoNotFit as reason:
            log.warning("written as one: %s", reason.message, extra=self._who)
            return None

    def _hold(
        self, source: ShareableSource, file: SharedFile, snapshot: Snapshot, *, anew: bool = False
    ) -> Snapshot:
        hold = partial(source.hold, self.plan.query, anew=anew)
        return self.dependencies.holders.keep(self.claim, file, snapshot, hold)

    def _hold_again(self, source: ShareableSource, left: LeftPlan) -> Snapshot:
        """The snapshot of the plan; or another one, where that makes no difference."""
        try:
            return self._hold(source, left.file, left.snapshot)
        except SnapshotLost:
            nothing_to_read = left.done == len(left.shards)
            if not (self.plan.dataset.resumable or nothing_to_read):
                raise
            return self._hold(source, left.file, left.snapshot, anew=True)

    @property
    def _who(self) -> dict[str, str]:
        return {"task": str(self.claim.task.id)}

    def _begin(
        self, held: HeldSnapshot | None, shards: ShardPlan, split: Split, notes: dict[str, Any]
    ) -> SharedFile:
        """Put the plan on record, by the name that the snapshot has in the session `held`."""
        if held is None:
            return self._record(shards, split, notes)
        try:
            file = self._record(replace(shards, snapshot=held.snapshot), split, notes)
        except BaseException:
            held.close()
            raise
        self.dependencies.holders.keep(self.claim, file, held.snapshot, lambda _: held)
        return file

    def _record(self, shards: ShardPlan, split: Split, notes: dict[str, Any]) -> SharedFile:
        """Begin the upload, and put the plan on record."""
        rows = shards.snapshot.rows
        most = self.dependencies.settings.max_rows_per_export
        if rows > most:
            raise LimitExceeded(f"The export has more than {most} rows.")
        key = self._reserve(is_set=split.is_set)
        upload = self._begin_upload(key, is_set=split.is_set)
        try:
            numbers = part_numbers(len(shards.shards))
            part_bytes = self._part_bytes(rows, split.size_bytes, numbers)
            of_shard = shards.shards[0].rows
            file = SharedFile(key, upload, part_bytes, of_shard, notes, split.fingerprint)
            if not self.dependencies.plans.begin(self.claim, file, shards, numbers):
                raise LeaseLost
        except BaseException:
            self._abort(key)
            raise
        return file

    def _write_file(self, end: End, snapshot: Snapshot, file: SharedFile) -> ShardedResult:
        self.progress.rows_total, self.progress.snapshot_at = snapshot.rows, snapshot.taken_at
        self.is_set = file.is_set
        yield_to_others()
        try:
            written = self._write_all()
            store = self.dependencies.store
            result = complete_file(store, end, snapshot, file, written, self.stop)
        except SnapshotLost:
            raise
        except BaseException as error:
            if not may_go_on_after(error):
                self._give_up()
            raise
        self.dependencies.holders.release(self.claim.task.id)
        self.progress.rows_done = result.export.rows_written
        return result

    def _part_bytes(self, rows: int, expected: int, numbers: Sequence[PartNumbers]) -> int:
        """Large enough for shards of several times the estimate, or of what was `expected`."""
        query = self.plan.query
        columns = len(query.selected_columns) if isinstance(query, sa.Select) else 0
        size = estimate_bytes(self.plan.format.name, rows, columns, past=())
        room = sum(each.most for each in numbers) // _MARGIN
        return max(plan_part_bytes(None), -(-max(size, expected) // room))

    def _begin_upload(self, key: str, *, is_set: bool) -> str:
        """Begin what shards are written into; of a set, only its id."""
        if is_set:
            return uuid4().hex
        return self.dependencies.store.begin_shared(key, self.plan.format.media_type)

    def _reserve(self, *, is_set: bool) -> str:
        task = self.claim.task
        key = object_key(
            self.dependencies.installation,
            task.tenant_id,
            task.id,
            self.claim.fence,
            self.plan.format.extension,
        )
        key = manifest_key(key) if is_set else key
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

    def _start_over(self, why: str) -> None:
        """Give the plan up; the export begins at row 0."""
        log.warning("the export starts at row 0", extra={**self._who, "why": why})
        self._give_up(why)

    def _give_up(self, why: str | None = None) -> None:
        """Forget the plan and abort its upload, if both are still of this attempt to give up.

        Otherwise another attempt goes on with them.
        """
        try:
            key = self.dependencies.plans.forget(self.claim, why)
        except SQLAlchemyError:
            log.warning("a plan is left to the next attempt", extra=self._who)
            return
        if key is not None:
            self.dependencies.holders.release(self.claim.task.id)
            self._abort(key)

    def _abort(self, key: str) -> None:
        """Leave no part behind; what cannot be reached now is collected later."""
        try:
            self.dependencies.store.abort_uploads(key)
        except StorageError as error:
            log.warning("shards not cleared up", extra={"key": key, "why": error.message})
