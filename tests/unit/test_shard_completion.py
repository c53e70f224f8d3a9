"""The end of a file in shards, when two attempts complete it, and what an error leaves behind."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.errors import ExportCancelled, IncompleteExport
from waybill.exporter.formats.shard_end import ShardEnd
from waybill.exporter.shards.plan import Snapshot
from waybill.exporter.stop import StopToken
from waybill.infra.sources.errors import (
    SnapshotLost,
    SourceAway,
    SourceRejected,
    SourceUnavailable,
)
from waybill.infra.tasks.shards import SharedFile, WrittenShard
from waybill.infra.worker.shard_completion import complete_file
from waybill.infra.worker.shard_leftovers import may_go_on_after
from waybill.infra.worker.stops import LeaseLost, WorkerStopping
from waybill.storage.errors import (
    ChecksumMismatch,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
)
from waybill.storage.memory import MemoryStore
from waybill.storage.parts import MIN_PART_BYTES

BODY, END = b"x" * MIN_PART_BYTES, b"the end"
SNAPSHOT = Snapshot("0-1", datetime(2026, 3, 1, tzinfo=UTC), 5)


def begun(store: MemoryStore) -> tuple[SharedFile, list[WrittenShard]]:
    """A file whose one shard is written."""
    upload = store.begin_shared("key", "text/plain")
    with store.part_run("key", upload, first=1, most=1, part_bytes=MIN_PART_BYTES) as run:
        run.write(BODY)
        parts = run.finish()
    leaf = len(BODY), hashlib.sha256(BODY).hexdigest()
    end = ShardEnd(5, Checksum.of(BODY), leaves=[leaf])
    written = WrittenShard([asdict(part) for part in parts], end.to_json())
    return SharedFile("key", upload, MIN_PART_BYTES, 5, {}, "mark"), [written]


def complete(store: MemoryStore, file: SharedFile, written: list[WrittenShard], end: bytes = END):
    return complete_file(store, lambda _f, _e: end, SNAPSHOT, file, written, StopToken())


def test_f116_a_file_that_another_attempt_completed_is_taken_only_as_it_has_to_be():
    store = MemoryStore()
    file, written = begun(store)
    first = complete(store, file, written)
    assert store.read("key") == BODY + END
    # The upload has ended, and the object is what these parts make.
    assert complete(store, file, written) == first
    with pytest.raises(UploadConflict):
        complete(store, file, written, b"another end")
    assert store.read("key") == BODY + END
    store.delete("key")
    with pytest.raises(UploadConflict):
        complete(store, file, written)


def test_shards_of_other_rows_make_no_file():
    store = MemoryStore()
    file, written = begun(store)
    other = replace(SNAPSHOT, rows=6)
    with pytest.raises(IncompleteExport):
        complete_file(store, lambda _f, _e: END, other, file, written, StopToken())
    assert store.head("key") is None


@pytest.mark.parametrize(
    "error",
    [
        *(LeaseLost(), WorkerStopping(), MemoryError(), OperationalError("", {}, Exception())),
        *(SourceAway(), SourceUnavailable(), StorageUnavailable(), StorageRejected()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_f116_what_passes_leaves_the_shards_to_the_next_attempt(error):
    assert may_go_on_after(error)


@pytest.mark.parametrize(
    "error",
    [
        *(ExportCancelled(), IncompleteExport(), SourceRejected(), SnapshotLost()),
        *(ChecksumMismatch(), UploadConflict(), ValueError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_f116_what_speaks_against_the_shards_does_not(error):
    assert not may_go_on_after(error)
