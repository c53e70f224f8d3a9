"""Faults around Complete, when nobody knows whether the object is there: F40 and F42."""

from __future__ import annotations

import pytest

from tests.support.servers import s3_stub
from tests.support.servers.s3_stub import Exchange, S3Stub
from tests.support.servers.s3_stub_bucket import Stored
from waybill.storage.errors import ChecksumMismatch, StorageError, StorageUnavailable
from waybill.storage.parts import MIN_PART_BYTES
from waybill.storage.s3 import S3Store
from waybill.storage.store import StoredObject

DATA = b"every byte of it"


def upload(store: S3Store) -> StoredObject:
    with store.open_upload("key", content_type="text/plain") as sink:
        sink.write(DATA)
    return sink.stored


def truncated_object(exchange: Exchange) -> None:
    """Say that the object is complete, and keep one byte less."""
    answer = exchange.work()
    stored = exchange.server.stub.bucket.objects["key"]
    exchange.server.stub.bucket.objects["key"] = Stored(stored.data[:-1], stored.etag, "")
    exchange.reply(answer)


def altered_object(exchange: Exchange) -> None:
    """Say that the object is complete, and keep other bytes."""
    answer = exchange.work()
    stored = exchange.server.stub.bucket.objects["key"]
    exchange.server.stub.bucket.objects["key"] = Stored(stored.data, stored.etag, "AAAAAA==-1")
    exchange.reply(answer)


def test_f40_an_error_inside_a_200_is_a_failure_and_complete_is_asked_again(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("CompleteMultipartUpload", s3_stub.error_in_200)
    assert upload(stub_store).size_bytes == len(DATA)
    assert len(stub.seen("CompleteMultipartUpload")) == 2


def test_f40_an_error_inside_every_200_publishes_nothing(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script_always("CompleteMultipartUpload", s3_stub.error_in_200)
    with pytest.raises(StorageUnavailable):
        upload(stub_store)
    assert stub.bucket.objects == {}
    assert stub.bucket.uploads == {}


def test_f40_an_answer_cut_short_is_settled_by_head(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script("CompleteMultipartUpload", s3_stub.truncated_answer)
    assert upload(stub_store).size_bytes == len(DATA)


def test_f42_a_complete_whose_answer_was_lost_is_settled_by_head(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("CompleteMultipartUpload", s3_stub.lost_answer)
    stored = upload(stub_store)
    assert stored.crc32 == stub.bucket.objects["key"].crc32
    # The second request found no upload, which is not an error here.
    assert len(stub.seen("CompleteMultipartUpload")) == 2
    assert stub.bucket.objects["key"].data == DATA


def test_f42_a_complete_that_did_nothing_is_not_taken_for_one_that_did(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script_always("CompleteMultipartUpload", s3_stub.stall)
    with pytest.raises(StorageUnavailable):
        upload(stub_store)
    assert stub.bucket.uploads == {}


def test_f42_an_older_object_of_that_key_is_not_taken_for_ours_and_stays(
    stub_store: S3Store, stub: S3Stub
) -> None:
    older = Stored(DATA.upper(), "older-1", "AAAAAA==-1")
    stub.bucket.objects["key"] = older
    stub.script_always("CompleteMultipartUpload", s3_stub.error(500, "InternalError"))
    with pytest.raises(StorageUnavailable):
        upload(stub_store)
    assert stub.bucket.objects == {"key": older}


@pytest.mark.parametrize("spoil", [truncated_object, altered_object])
def test_an_object_that_is_not_what_was_sent_is_deleted(
    stub_store: S3Store, stub: S3Stub, spoil
) -> None:
    stub.script("CompleteMultipartUpload", spoil)
    with pytest.raises(ChecksumMismatch):
        upload(stub_store)
    assert stub.bucket.objects == {}


def test_an_object_that_cannot_be_verified_is_deleted(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script_always("HeadObject", s3_stub.error(403, "AccessDenied"))
    with pytest.raises(StorageError):
        upload(stub_store)
    assert stub.bucket.objects == {}


def test_f116_what_may_be_complete_is_not_deleted(stub_store: S3Store, stub: S3Stub) -> None:
    """The object of a shared upload may be the file of another attempt by now."""
    upload_id = stub_store.begin_shared("key", "text/plain")
    numbers = {"first": 1, "most": 1, "part_bytes": MIN_PART_BYTES, "is_last": True}
    with stub_store.part_run("key", upload_id, **numbers) as run:
        run.write(DATA)
        parts = run.finish()
    stub.script_always("HeadObject", s3_stub.error(503, "SlowDown"))
    with pytest.raises(StorageUnavailable):
        stub_store.complete_shared("key", upload_id, parts)
    with pytest.raises(StorageUnavailable):
        stub_store.find_completed("key", parts)
    assert stub.bucket.objects["key"].data == DATA
