"""Uploads to a real server: what arrives, what is left behind, and what it costs in memory."""

from __future__ import annotations

import hashlib
import random
import time
import tracemalloc
from dataclasses import replace

import boto3.session
import pytest

from tests.support.stored_keys import stored_keys
from waybill.storage.config import S3Config
from waybill.storage.connection import S3Connection
from waybill.storage.errors import StorageRejected, UploadTooLarge
from waybill.storage.multipart import MultipartUpload
from waybill.storage.parts import MIN_PART_BYTES
from waybill.storage.s3 import S3Store

MIB = 1 << 20


@pytest.fixture
def client(s3_config: S3Config):
    """A client of our own making, to look at the bucket with other eyes."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=s3_config.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=s3_config.access_key_id,
        aws_secret_access_key=s3_config.secret_access_key,
        config=s3_config.client_config(),
    )
    yield client
    client.close()


def test_the_bytes_that_arrive_are_the_bytes_that_were_written(
    s3_store: S3Store, s3_config: S3Config, client, key_prefix: str
) -> None:
    randomly = random.Random(7)  # noqa: S311 - the same bytes each time
    written = hashlib.sha256()
    with s3_store.open_upload(
        f"{key_prefix}k", content_type="text/x-test", part_bytes=MIN_PART_BYTES
    ) as upload:
        while upload.bytes_uploaded < 12 * MIB:
            data = randomly.randbytes(randomly.randrange(700_000))
            written.update(data)
            upload.write(data)
    answer = client.get_object(Bucket=s3_config.bucket, Key=f"{key_prefix}k")
    with answer["Body"] as body:
        assert hashlib.sha256(body.read()).digest() == written.digest()
    assert answer["ContentType"] == "text/x-test"


def test_all_parts_are_equal_but_the_last(
    s3_store: S3Store, s3_config: S3Config, client, key_prefix: str
) -> None:
    with s3_store.open_upload(
        f"{key_prefix}k", content_type="text/plain", part_bytes=MIN_PART_BYTES
    ) as upload:
        for size in (1, 3 * MIN_PART_BYTES, 17, MIN_PART_BYTES - 1):
            upload.write(b"x" * size)
    sizes = [
        client.head_object(Bucket=s3_config.bucket, Key=f"{key_prefix}k", PartNumber=number)
        for number in range(1, 6)
    ]
    assert [part["ContentLength"] for part in sizes] == [MIN_PART_BYTES] * 4 + [17]


def test_an_abort_with_parts_under_way_leaves_no_upload(s3_store: S3Store, key_prefix: str) -> None:
    def give_up() -> None:
        with s3_store.open_upload(
            f"{key_prefix}k", content_type="text/plain", part_bytes=MIN_PART_BYTES
        ) as upload:
            upload.write(b"x" * (3 * MIN_PART_BYTES))
            raise ZeroDivisionError

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        give_up()
    assert time.monotonic() - started < 5
    assert list(s3_store.list_uploads(key_prefix)) == []
    assert stored_keys(s3_store, key_prefix) == []


@pytest.fixture
def small_upload(s3_config: S3Config, key_prefix: str):
    """An upload to a store whose objects have two parts at most."""
    connection = S3Connection(s3_config)
    yield MultipartUpload(
        connection,
        f"{key_prefix}k",
        content_type="text/plain",
        part_bytes=MIN_PART_BYTES,
        max_parts=2,
    )
    connection.close()


def test_one_part_too_many_is_refused_before_it_is_sent(
    s3_store: S3Store, small_upload: MultipartUpload, key_prefix: str
) -> None:
    with pytest.raises(UploadTooLarge, match="more than 2 parts"), small_upload:
        small_upload.write(b"x" * (2 * MIN_PART_BYTES + 1))
    assert list(s3_store.list_uploads(key_prefix)) == []


def test_a_file_cut_short_by_an_error_nobody_heeded_is_not_published(
    s3_store: S3Store, small_upload: MultipartUpload, key_prefix: str
) -> None:
    def carry_on() -> None:
        with small_upload:
            small_upload.write(b"x" * MIN_PART_BYTES)
            with pytest.raises(UploadTooLarge):
                small_upload.write(b"x" * (2 * MIN_PART_BYTES))

    with pytest.raises(UploadTooLarge):
        carry_on()
    assert stored_keys(s3_store, key_prefix) == []


def test_memory_is_bounded_by_the_parts_under_way(s3_store: S3Store, key_prefix: str) -> None:
    chunk = b"x" * 200_000
    with s3_store.open_upload(
        f"{key_prefix}k", content_type="text/plain", part_bytes=MIN_PART_BYTES
    ) as upload:
        upload.write(chunk * 30)
        tracemalloc.start()
        for _ in range(64 * MIB // len(chunk)):
            # A copy each time, as an encoder's blocks would be.
            upload.write(bytes(bytearray(chunk)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert upload.stored.size_bytes > 64 * MIB
    # Three parts, and what the SDK hashes and sends at a time: another copy would not fit.
    assert peak < 4 * MIN_PART_BYTES


def test_a_bucket_that_is_missing_is_for_the_operator(s3_config: S3Config) -> None:
    store = S3Store(replace(s3_config, bucket="no-such-bucket"))
    with pytest.raises(StorageRejected), store.open_upload("k", content_type="text/plain"):
        pass
    with pytest.raises(StorageRejected):
        store.check()
    store.close()


def test_a_wrong_secret_is_for_the_operator(s3_config: S3Config) -> None:
    store = S3Store(replace(s3_config, secret_access_key="wrong"))
    with pytest.raises(StorageRejected), store.open_upload("k", content_type="text/plain"):
        pass
    store.close()
