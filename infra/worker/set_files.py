"""Files of a set in the store, each written by the worker of its shard, and their manifest.

A file begins again when its worker is lost: it has one key, and the same bytes from any worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.formats.shard_end import ShardEnd
from waybill.exporter.shards.reached import Reached
from waybill.exporter.shards.write_shard import ShardSink
from waybill.exporter.stop import StopToken
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.failpoints import failing_write, failpoint
from waybill.infra.tasks.file_sets import MANIFEST_MEDIA_TYPE, file_key
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.model import TaskProgress
from waybill.infra.tasks.shards import ShardClaim, SharedFile, WrittenShard
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.stops import LeaseLost
from waybill.storage.errors import ChecksumMismatch, StorageRejected
from waybill.storage.store import ObjectStore, StoredObject, Upload


class CountedSink(ShardSink, Protocol):
    """What a shard is written to, and how much of it is stored."""

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""
        ...


#: Writes the rows of a shard into a sink, and says what they are.
WriteRows = Callable[[CountedSink], ShardEnd]

#: Questions to the store at a time.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file as the store had it when it was written; what `export_shard.parts` holds of it."""

    #: Unique among the shards, as the numbers of parts are.
    number: int
    size_bytes: int
    etag: str
    #: As the store keeps it; None where it keeps none.
    crc32: str | None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def is_still(self, found: StoredObject | None) -> bool:
        if found is None or found.size_bytes != self.size_bytes:
            return False
        crc32 = _crc32_of(found)
        # An ETag may differ for the same bytes, where the store encrypts them.
        return self.etag == found.etag if None in {crc32, self.crc32} else crc32 == self.crc32


def _crc32_of(stored: StoredObject) -> str | None:
    return stored.crc32 or stored.whole_crc32


class _WholeFile:
    """A file of a set, which has no place to go on from."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._write = failing_write(upload)

    @property
    def bytes_uploaded(self) -> int:
        return self._upload.bytes_uploaded

    def write(self, data: bytes) -> None:
        self._write(data)

    def end_part(self, reached: Reached) -> None:
        # `FileSet.encode` yields bytes only, no `Mark`, so nothing calls this.
        raise NotImplementedError("a file of a set is written from its beginning")


def write_file(
    dependencies: WorkerDependencies,
    plan: ExportPlan,
    claim: ShardClaim,
    stop: StopToken,
    write_rows: WriteRows,
) -> tuple[WrittenShard, int]:
    """Write the shard of `claim` as a file; what is on record of it, and its size in bytes.

    Raises:
        LeaseLost: the shard has another worker now, which writes the file.
    """
    store, key = dependencies.store, file_key(claim.file.key, claim.shard.number)
    # What a lost worker of this shard still sends is in vain then.
    with suppress(StorageRejected):
        store.abort_uploads(key)
    with store.open_upload(
        key, content_type=plan.format.media_type, part_bytes=claim.file.part_bytes
    ) as upload:
        end = write_rows(_WholeFile(upload))
        upload.expect(end.file.size_bytes, end.file.crc32)
        stop.check()
        now = TaskProgress(end.rows, end.rows, upload.bytes_uploaded, claim.snapshot.taken_at)
        if dependencies.shards.heartbeat(claim, now) is not Pulse.ALIVE:
            raise LeaseLost
        failpoint("shard.before_file")
    stored = upload.stored
    part = _Stored(claim.parts.first, stored.size_bytes, stored.etag, _crc32_of(stored))
    return WrittenShard([part.to_json()], end.to_json()), stored.size_bytes


def complete_set(
    store: ObjectStore,
    file: SharedFile,
    written: Sequence[WrittenShard],
    manifest: bytes,
    stop: StopToken,
) -> StoredObject:
    """Look at every file once more, and store the manifest.

    Raises:
        ChecksumMismatch: a file is not there, or is another one than was written.
    """
    recorded = [_Stored(**part) for shard in written for part in shard.parts]
    keys = [file_key(file.key, number) for number in range(len(written))]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(store.head, keys))
    if not all(part.is_still(there) for part, there in zip(recorded, found, strict=True)):
        raise ChecksumMismatch("A file of the set is not in the store as it was written.")
    stop.check()
    failpoint("w.before_complete")
    whole = Checksum.of(manifest)
    with store.open_upload(
        file.key, content_type=MANIFEST_MEDIA_TYPE, expected_bytes=len(manifest)
    ) as upload:
        upload.write(manifest)
        upload.expect(whole.size_bytes, whole.crc32)
    return upload.stored
