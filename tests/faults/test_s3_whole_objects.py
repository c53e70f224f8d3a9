"""A file of one request: stored whole and proved, or not at all."""

from __future__ import annotations

import pytest

from tests.support.servers import s3_stub
from tests.support.servers.s3_stub import Exchange, S3Stub
from tests.support.servers.s3_stub_bucket import Stored
from waybill.storage.errors import ChecksumMismatch, StorageError, StorageUnavailable
from waybill.storage.parts import MIN_PART_BYTES, crc32_of
from waybill.storage.s3 import S3Store
from waybill.storage.store import StoredObject

DATA = b"every byte of it"


def upload(store: S3Store, data: bytes = DATA) -> StoredObject:
    with store.open_upload("key", content_type="text/plain", expected_bytes=100) as sink:
        sink.write(data)
    assert sink.bytes_uploaded == len(data)
    return sink.stored


def truncated_object(exchange: Exchange) -> None:
    """Say that the object is stored, and keep one byte less."""
    answer = exchange.work()
    exchange.server.stub.bucket.objects["key"] = Stored(DATA[:-1], "tag", "")
    exchange.reply(answer)


def altered_object(exchange: Exchange) -> None:
    """Say that the object is stored, and keep other bytes."""
    answer = exchange.work()
    exchange.server.stub.bucket.objects["key"] = Stored(DATA.upper(), "tag", "AAAAAA==")
    exchange.reply(answer)


def altered_answer(exchange: Exchange) -> None:
    """Store it, and confirm the checksum of other bytes."""
    answer = exchange.work()
    answer.headers["x-amz-checksum-crc32"] = "AAAAAA=="
    exchange.reply(answer)


def test_a_small_file_takes_one_request_and_a_look(stub_store: S3Store, stub: S3Stub) -> None:
    stored = upload(stub_store)

    assert (stored.size_bytes, stored.whole_crc32) == (len(DATA), crc32_of(DATA))
    assert stub.bucket.objects["key"].data == DATA
    assert [request.operation for request in stub.requests] == ["PutObject", "HeadObject"]
    assert stub.requests[0].headers["content-type"] == "text/plain"


def test_an_empty_file_is_stored(stub_store: S3Store, stub: S3Stub) -> None:
    assert upload(stub_store, b"").size_bytes == 0
    assert stub.bucket.objects["key"].data == b""


def test_a_file_larger_than_expected_is_sent_in_parts(stub_store: S3Store, stub: S3Stub) -> None:
    with stub_store.open_upload(
        "key", content_type="text/plain", expected_bytes=100, part_bytes=MIN_PART_BYTES
    ) as sink:
        sink.write(bytes(MIN_PART_BYTES))
        sink.write(DATA)

    assert stub.bucket.objects["key"].data == bytes(MIN_PART_BYTES) + DATA
    assert len(stub.seen("UploadPart")) == 2
    assert stub.seen("PutObject") == []


def test_an_error_before_the_end_sends_nothing(stub_store: S3Store, stub: S3Stub) -> None:
    def fail() -> None:
        with stub_store.open_upload("key", content_type="a/b", expected_bytes=100) as sink:
            sink.write(DATA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert stub.requests == []


def test_a_file_that_is_not_the_rendered_one_is_not_sent(stub_store: S3Store, stub: S3Stub) -> None:
    def expect_another() -> None:
        with stub_store.open_upload("key", content_type="a/b", expected_bytes=100) as sink:
            sink.write(DATA)
            sink.expect(len(DATA), 1)

    with pytest.raises(ChecksumMismatch):
        expect_another()
    assert stub.requests == []


def test_a_put_whose_answer_was_lost_is_repeated(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script("PutObject", s3_stub.lost_answer)

    assert upload(stub_store).size_bytes == len(DATA)
    assert len(stub.seen("PutObject")) == 2


def test_puts_whose_answers_are_all_lost_are_settled_by_head(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script_always("PutObject", s3_stub.lost_answer)

    assert upload(stub_store).whole_crc32 == crc32_of(DATA)


def test_an_older_object_of_that_key_is_not_taken_for_ours_and_stays(
    stub_store: S3Store, stub: S3Stub
) -> None:
    older = Stored(DATA.upper(), "older", "AAAAAA==")
    stub.bucket.objects["key"] = older
    stub.script_always("PutObject", s3_stub.error(500, "InternalError"))

    with pytest.raises(StorageUnavailable):
        upload(stub_store)

    assert stub.bucket.objects == {"key": older}


@pytest.mark.parametrize("spoil", [truncated_object, altered_object])
def test_an_object_that_is_not_what_was_sent_is_deleted(
    stub_store: S3Store, stub: S3Stub, spoil
) -> None:
    stub.script("PutObject", spoil)

    with pytest.raises(ChecksumMismatch):
        upload(stub_store)

    assert stub.bucket.objects == {}


def test_a_checksum_of_other_bytes_is_no_confirmation(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script("PutObject", altered_answer)

    assert upload(stub_store).size_bytes == len(DATA)
    assert len(stub.seen("PutObject")) == 2


def test_an_object_that_cannot_be_verified_is_deleted(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script_always("HeadObject", s3_stub.error(403, "AccessDenied"))

    with pytest.raises(StorageError):
        upload(stub_store)

    assert stub.bucket.objects == {}


def test_a_store_that_knows_no_crc32_compares_an_md5(stub_store: S3Store, stub: S3Stub) -> None:
    stub.bucket.knows_crc32 = False

    assert upload(stub_store).size_bytes == len(DATA)
    assert "content-md5" in stub.seen("PutObject")[-1].headers
