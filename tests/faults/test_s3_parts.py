"""Faults while parts are on their way: F39, F41, F43, F44 of the fault matrix."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tests.support.servers import s3_stub
from tests.support.servers.s3_stub import S3Stub
from waybill.storage.errors import ChecksumMismatch, StorageUnavailable, UploadTooLarge
from waybill.storage.s3 import S3Store

MIB = 1 << 20
#: Three parts, no two alike, so that a mix-up cannot go unseen.
DATA = b"".join(bytes([65 + n]) * (5 * MIB) for n in range(2)) + b"the last part"


def upload(store: S3Store, data: bytes = DATA) -> None:
    with store.open_upload("key", content_type="text/plain", part_bytes=5 * MIB) as sink:
        sink.write(data)


def assert_nothing_left(stub: S3Stub) -> None:
    assert stub.bucket.objects == {}
    assert stub.bucket.uploads == {}


def test_without_faults_the_strict_stub_takes_an_upload(stub_store: S3Store, stub: S3Stub) -> None:
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    assert len(stub.seen("UploadPart")) == 3


@pytest.mark.parametrize(
    "fault",
    [s3_stub.error(503, "SlowDown"), s3_stub.error(500, "InternalError")],
    ids=["503", "500"],
)
def test_f39_a_busy_store_is_asked_again(stub_store: S3Store, stub: S3Stub, fault) -> None:
    stub.script("UploadPart", fault, fault)
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    assert len(stub.seen("UploadPart")) == 5


def test_f39_a_store_that_stays_busy_ends_the_upload_and_says_when_to_come_back(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script_always("UploadPart", s3_stub.error(503, "SlowDown", Retry_After="7"))
    with pytest.raises(StorageUnavailable) as caught:
        upload(stub_store)
    assert caught.value.retry_after == timedelta(seconds=7)
    assert_nothing_left(stub)


def test_f41_a_connection_reset_in_mid_part_sends_the_part_again(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("UploadPart", s3_stub.reset_in_mid_body)
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    assert len(stub.seen("UploadPart")) == 4


def test_f41_a_stalled_store_is_dropped_after_the_read_timeout(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("UploadPart", s3_stub.stall)
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    assert len(stub.seen("UploadPart")) == 4


def test_f43_a_part_that_changed_on_the_way_is_sent_again(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("UploadPart", s3_stub.flipped_bit)
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    assert len(stub.seen("UploadPart")) == 4


def test_f43_a_part_that_keeps_changing_is_never_completed(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script_always("UploadPart", s3_stub.flipped_bit)
    with pytest.raises(ChecksumMismatch):
        upload(stub_store, b"one part")
    assert len(stub.seen("UploadPart")) == 3
    assert stub.seen("CompleteMultipartUpload") == []
    assert_nothing_left(stub)


def test_f44_credentials_that_expire_in_mid_upload_are_looked_up_anew(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script("UploadPart", s3_stub.error(400, "ExpiredToken"))
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA


def test_f44_credentials_that_stay_expired_are_worth_a_later_attempt(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.script_always("UploadPart", s3_stub.error(400, "ExpiredToken"))
    with pytest.raises(StorageUnavailable):
        upload(stub_store, b"one part")
    assert len(stub.seen("UploadPart")) == 2


def test_a_part_over_the_cap_of_the_store_is_final(stub_store: S3Store, stub: S3Stub) -> None:
    stub.script("UploadPart", s3_stub.error(400, "EntityTooLarge"))
    with pytest.raises(UploadTooLarge):
        upload(stub_store, b"one part")
    assert_nothing_left(stub)


def test_an_abort_that_fails_leaves_a_warning_and_the_first_error(
    stub_store: S3Store, stub: S3Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.script_always("AbortMultipartUpload", s3_stub.error(403, "AccessDenied"))
    with (
        caplog.at_level(logging.WARNING, "waybill.storage"),
        pytest.raises(ZeroDivisionError),
        stub_store.open_upload("key", content_type="text/plain") as sink,
    ):
        raise ZeroDivisionError
    assert sink.upload_id in caplog.text
    assert "key" in caplog.text
    assert "http" not in caplog.text
    assert s3_stub.SECRET_KEY not in caplog.text


def test_a_store_that_knows_no_crc32_is_made_to_compare_an_md5(
    stub_store: S3Store, stub: S3Stub
) -> None:
    stub.bucket.knows_crc32 = False
    upload(stub_store)
    assert stub.bucket.objects["key"].data == DATA
    with_md5 = [request for request in stub.seen("UploadPart") if "content-md5" in request.headers]
    assert {request.query["partNumber"] for request in with_md5} == {"1", "2", "3"}


def test_such_a_store_finds_damage_all_the_same(stub_store: S3Store, stub: S3Stub) -> None:
    stub.bucket.knows_crc32 = False
    stub.script_always("UploadPart", s3_stub.flipped_bit)
    with pytest.raises(ChecksumMismatch):
        upload(stub_store, b"one part")
    assert_nothing_left(stub)
