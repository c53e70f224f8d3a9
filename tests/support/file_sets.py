"""Sets of files of tasks, as workers leave them in the database and the store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Engine

from tests.support.shard_plans import FILE, NUMBERS, PLAN
from tests.support.task_store import LEASE, progress_of
from waybill.infra.tasks.file_sets import file_key, manifest_key
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.model import Claim, Finished, Manifest
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.tasks.shards import SharedFile, TaskShards, WrittenShard
from waybill.storage.store import ObjectStore

#: Of each of the three files.
SIZE_BYTES = 100


def begin_set(engine: Engine, claim: Claim, key: str) -> SharedFile:
    """Plan a set of three files; `key` is one that an export of one file would have."""
    file = replace(FILE, key=manifest_key(key), upload_id="no upload")
    assert TaskRuns(engine, LEASE).reserve_object(claim, file.key)
    assert ShardPlans(engine).begin(claim, file, PLAN, NUMBERS)
    return file


def put(store: ObjectStore, key: str, data: bytes) -> str:
    """Store an object; its SHA-256."""
    with store.open_upload(key, content_type="text/plain", expected_bytes=len(data)) as upload:
        upload.write(data)
    return hashlib.sha256(data).hexdigest()


def write_file(engine: Engine, store: ObjectStore, claim: Claim) -> str:
    """Write the next file of a set; its key."""
    shards = TaskShards(engine, LEASE)
    own = shards.claim_own(claim)
    assert own is not None
    key = file_key(own.file.key, own.shard.number)
    sha256 = put(store, key, bytes([own.shard.number]) * SIZE_BYTES)
    done = WrittenShard(
        [{"number": own.shard.number}], {"rows": 10, "leaves": [[SIZE_BYTES, sha256]]}
    )
    progress = replace(progress_of(10, 10), bytes_uploaded=SIZE_BYTES)
    assert shards.finish(own, done, progress)
    return key


def finish_set(engine: Engine, store: ObjectStore, claim: Claim, file: SharedFile) -> None:
    """Write the manifest, and end the task with it."""
    now, manifest = datetime.now(UTC), json.dumps({"complete": True}).encode()
    sha256 = put(store, file.key, manifest)
    done = Finished(
        object_key=file.key,
        etag="etag",
        sha256=f"sha256-tree:{sha256}",
        size_bytes=3 * SIZE_BYTES + len(manifest),
        rows_source=30,
        rows_written=30,
        snapshot_at=now,
        warnings=[],
        download_url="memory:///manifest",
        url_expires_at=now + timedelta(minutes=5),
        retention=timedelta(days=7),
        manifest=Manifest(3, len(manifest), sha256),
    )
    assert TaskRuns(engine, LEASE).finish(claim, done)
