"""The end of a file in shards: what follows the last shard, and the completed object."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.counted_rows import describe
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.shard_end import (
    ShardedEncoding,
    ShardedFile,
    ShardEnd,
    combined,
    combined_warnings,
)
from waybill.exporter.run import ExportResult
from waybill.exporter.shards.plan import Snapshot
from waybill.exporter.stop import StopToken
from waybill.exporter.warning_rules import listed
from waybill.infra.failpoints import failpoint
from waybill.infra.tasks.model import Manifest
from waybill.infra.tasks.shards import PartNumbers, SharedFile, WrittenShard
from waybill.infra.tasks.tree_digest import tree_digest
from waybill.infra.worker.set_files import complete_set
from waybill.storage.errors import ChecksumMismatch, UploadConflict
from waybill.storage.parts import MAX_PARTS, Part, expected_part, whole_of
from waybill.storage.store import ObjectStore, StoredObject

#: The end of a file, from what its shards left.
End = Callable[[ShardedFile, Sequence[ShardEnd]], bytes]

#: The number of the part behind all shards.
_FIRST_OF_END = MAX_PARTS


@dataclass(frozen=True, slots=True)
class ShardedResult:
    """A finished export in shards."""

    export: ExportResult
    #: Of a set, the manifest.
    stored: StoredObject
    manifest: Manifest | None = None


def end_of(encoding: ShardedEncoding, schema: pa.Schema, layout: Layout, snapshot: Snapshot) -> End:
    """What follows the shards, with the layout that they are written in."""
    described = describe(layout, snapshot.taken_at, snapshot.rows)
    return partial(encoding.end, schema, described)


def part_numbers(shards: int) -> list[PartNumbers]:
    """Each shard's share of the numbers below the last one."""
    most = (_FIRST_OF_END - 1) // shards
    return [PartNumbers(1 + number * most, most) for number in range(shards)]


def complete_file(
    store: ObjectStore,
    make_end: End,
    snapshot: Snapshot,
    file: SharedFile,
    written: Sequence[WrittenShard],
    stop: StopToken,
) -> ShardedResult:
    """Write the end of a file whose shards are all written, and complete and verify its object.

    The end of a set is its manifest.

    An attempt that lost the task may have done so already, with the same parts. Then the object is
    what it left.

    Raises:
        IncompleteExport: the shards have more or fewer rows than the snapshot.
        ChecksumMismatch: the object is not what was rendered.
        UploadConflict: the upload has ended without this object.
    """
    ends = [ShardEnd.from_json(shard.outcome) for shard in written]
    rows = sum(end.rows for end in ends)
    if rows != snapshot.rows:
        raise IncompleteExport(
            f"The database counted {snapshot.rows:,} rows; {rows:,} were written."
        )
    last = make_end(ShardedFile(snapshot.rows, file.rows_of_shard, file.notes), ends)
    if file.is_set:
        stored, size_bytes = complete_set(store, file, written, last, stop), len(last)
        size_bytes += sum(end.file.size_bytes for end in ends)
    else:
        stored = _complete_one(store, file, written, ends, last, stop)
        size_bytes = stored.size_bytes
    failpoint("w.after_complete")
    digest = hashlib.sha256(last).hexdigest()
    result = ExportResult(
        rows_source=snapshot.rows,
        rows_written=rows,
        size_bytes=size_bytes,
        sha256=tree_digest([*(leaf for end in ends for _, leaf in end.leaves), digest]),
        snapshot_at=snapshot.taken_at,
        warnings=listed(combined_warnings(ends)),
    )
    manifest = Manifest(len(ends), len(last), digest) if file.is_set else None
    return ShardedResult(result, stored, manifest)


def _complete_one(
    store: ObjectStore,
    file: SharedFile,
    written: Sequence[WrittenShard],
    ends: Sequence[ShardEnd],
    last: bytes,
    stop: StopToken,
) -> StoredObject:
    whole = combined(ends, lambda end: end.file) + Checksum.of(last)
    parts = [Part(**part) for shard in written for part in shard.parts]
    try:
        return _complete(store, file, parts, last, whole, stop)
    except UploadConflict:
        found = store.find_completed(file.key, [*parts, expected_part(_FIRST_OF_END, last)])
        if found is None:
            raise
        return found


def _complete(
    store: ObjectStore,
    file: SharedFile,
    parts: Sequence[Part],
    last: bytes,
    whole: Checksum,
    stop: StopToken,
) -> StoredObject:
    with store.part_run(
        file.key,
        file.upload_id,
        first=_FIRST_OF_END,
        most=1,
        part_bytes=file.part_bytes,
        is_last=True,
    ) as run:
        run.write(last)
        parts = [*parts, *run.finish()]
    if whole_of(parts) != (whole.size_bytes, whole.crc32):
        raise ChecksumMismatch("The parts in the store are not the file that was rendered.")
    stop.check()
    failpoint("w.before_complete")
    return store.complete_shared(file.key, file.upload_id, parts)
