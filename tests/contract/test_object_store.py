"""What every object store promises: in memory, on moto's S3 and on a real server alike."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import md5
from zlib import crc32

import pytest

from tests.support.stored_keys import OWNER, stored_keys
from waybill.storage.errors import (
    ChecksumMismatch,
    InvalidFilename,
    StorageError,
    UploadConflict,
)
from waybill.storage.memory import MemoryStore
from waybill.storage.parts import MIN_PART_BYTES, Part, composite_crc32, composite_etag, crc32_of
from waybill.storage.store import ObjectStore

PART = bytes(range(256)) * (MIN_PART_BYTES // 256)


#: Where moto 5.2 is not S3. These tests run in memory and on the real server only.
NOT_ON_MOTO = {
    "test_parts_are_cut_to_one_size_whatever_is_written": (
        # HEAD of an object that was begun with CRC32 and no checksum type has no checksum; S3's
        # default is COMPOSITE.
        "keeps no composite CRC-32"
    ),
    "test_an_upload_can_be_found_before_its_first_part": "every upload began in 2010",
    # A part of an upload that was aborted is a KeyError inside moto, and not NoSuchUpload.
    "test_abort_uploads_takes_all_of_one_key_and_none_of_a_longer_one": "raises KeyError",
    "test_a_failed_write_cannot_be_overlooked": "raises KeyError",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on each store. In memory and on moto they need no server and no socket."""
    if "store" in metafunc.fixturenames:
        moto = [] if metafunc.function.__name__ in NOT_ON_MOTO else ["moto"]
        real = pytest.param("seaweedfs", marks=pytest.mark.server)
        metafunc.parametrize("store", ["memory", *moto, real], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    return request.getfixturevalue("moto_store" if request.param == "moto" else "s3_store")


@pytest.fixture
def key(key_prefix: str) -> str:
    return f"{key_prefix}导出 1%41.xlsx"


def put(store: ObjectStore, key: str, data: bytes = b"data"):
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(data)
    return upload.stored


def test_an_upload_ends_as_the_object_it_describes(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        for chunk in (PART, PART[:1000], PART, b"end"):
            upload.write(chunk)
    assert upload.stored == store.head(key)
    assert upload.stored.key == key
    assert upload.stored.size_bytes == upload.bytes_uploaded == 2 * len(PART) + 1003


def test_parts_are_cut_to_one_size_whatever_is_written(store: ObjectStore, key: str) -> None:
    data = PART + PART[:1003]
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        for start in range(0, len(data), 1_000_001):
            upload.write(data[start : start + 1_000_001])
    cut = [data[:MIN_PART_BYTES], data[MIN_PART_BYTES:]]
    parts = [
        Part(number, len(part), md5(part, usedforsecurity=False).hexdigest(), crc32_of(part), True)
        for number, part in enumerate(cut, start=1)
    ]
    assert upload.stored.crc32 == composite_crc32(parts)
    assert upload.stored.etag == composite_etag(parts)


def give_up(store: ObjectStore, key: str, data: bytes, error: BaseException) -> None:
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(data)
        raise error


def test_the_object_appears_on_the_clean_exit_and_not_before(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"data")
        assert store.head(key) is None
        with pytest.raises(RuntimeError):
            _ = upload.stored
    assert store.head(key) is not None


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
def test_any_exception_leaves_nothing(
    store: ObjectStore, key: str, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        give_up(store, key, PART * 2, error())
    assert store.head(key) is None
    assert list(store.list_uploads(key)) == []


def test_an_object_that_was_expected_is_published(store: ObjectStore, key: str) -> None:
    data = PART + PART[:1000]
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(data)
        upload.expect(len(data), crc32(data))
    assert store.head(key).size_bytes == len(data)


@pytest.mark.parametrize("expected", [PART, PART + b"1", PART + b"O", b"0" + PART, b""])
def test_an_object_that_was_not_expected_never_appears(
    store: ObjectStore, key: str, expected: bytes
) -> None:
    before = put(store, key, b"before")

    def write_something_else() -> None:
        with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
            upload.write(PART + b"0")
            upload.expect(len(expected), crc32(expected))

    with pytest.raises(ChecksumMismatch, match="not the file that was rendered"):
        write_something_else()
    assert store.head(key) == before
    assert list(store.list_uploads(key)) == []


def test_an_empty_file_is_an_object_too(store: ObjectStore, key: str) -> None:
    assert put(store, key, b"").size_bytes == 0
    assert store.head(key).size_bytes == 0


def test_an_object_is_replaced_whole_or_not_at_all(store: ObjectStore, key: str) -> None:
    before = put(store, key, b"before")
    with pytest.raises(EOFError):
        give_up(store, key, b"after, longer", EOFError())
    assert store.head(key) == before
    assert put(store, key, b"after, longer") == store.head(key)


def test_an_upload_can_be_found_before_its_first_part(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain") as upload:
        (found,) = store.list_uploads(key)
        assert (found.key, found.upload_id) == (key, upload.upload_id)
        assert abs(datetime.now(UTC) - found.started_at) < timedelta(minutes=1)
    assert list(store.list_uploads(key)) == []


def test_abort_uploads_takes_all_of_one_key_and_none_of_a_longer_one(
    store: ObjectStore, key: str
) -> None:
    def begin(key: str):
        return store.open_upload(key, content_type="text/plain")

    def two_uploads_aborted_by_somebody_else() -> None:
        with begin(key), begin(key):
            assert store.abort_uploads(key) == 2
            assert store.abort_uploads(key) == 0

    with begin(f"{key}.zip"), pytest.raises(UploadConflict):
        two_uploads_aborted_by_somebody_else()
    assert stored_keys(store, key) == [f"{key}.zip"]


def test_a_failed_write_cannot_be_overlooked(store: ObjectStore, key: str) -> None:
    def carry_on_as_if_nothing_had_happened() -> None:
        with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
            store.abort_uploads(key)
            with pytest.raises(UploadConflict):
                upload.write(PART * 10)

    with pytest.raises(UploadConflict):
        carry_on_as_if_nothing_had_happened()
    assert store.head(key) is None


def test_nothing_can_be_written_after_the_end(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain") as upload:
        pass
    with pytest.raises(RuntimeError):
        upload.write(b"late")


def test_progress_counts_what_the_store_has_confirmed(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(PART[:-1])
        assert upload.bytes_uploaded == 0
        upload.write(PART * 4)
        assert upload.bytes_uploaded >= MIN_PART_BYTES
        assert upload.bytes_uploaded % MIN_PART_BYTES == 0


@pytest.mark.parametrize("part_bytes", [0, MIN_PART_BYTES - 1, (5 << 30) + 1])
def test_part_sizes_that_no_store_takes_are_refused(store: ObjectStore, part_bytes: int) -> None:
    with pytest.raises(ValueError, match="parts have"):
        store.open_upload("key", content_type="text/plain", part_bytes=part_bytes)


def test_what_was_stored_is_read_back_in_pieces(store: ObjectStore, key: str) -> None:
    with store.open_upload(key, content_type="text/plain", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(PART + b"end")
    assert b"".join(store.pieces(key)) == PART + b"end"
    with pytest.raises(StorageError):
        list(store.pieces(f"{key}.none"))


def test_deleting_is_final_and_needs_no_object(store: ObjectStore, key: str) -> None:
    put(store, key)
    store.delete(key)
    store.delete(key)
    assert store.head(key) is None


def test_a_link_says_when_it_ends_and_hides_its_url(store: ObjectStore, key: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    link = store.presign(
        key, filename="a.csv", content_type="text/csv", ttl=timedelta(seconds=90.9)
    )
    assert before <= link.expires_at - timedelta(seconds=90) <= datetime.now(UTC)
    assert link.url not in repr(link)


def test_a_link_lives_for_seven_days_at_most(store: ObjectStore, key: str) -> None:
    link = store.presign(key, filename="a", content_type="text/csv", ttl=timedelta(days=8))
    assert link.expires_at <= datetime.now(UTC) + timedelta(days=7)


@pytest.mark.parametrize("seconds", [-5, 0, 0.9])
def test_a_link_that_would_be_dead_is_not_signed(store: ObjectStore, seconds: float) -> None:
    with pytest.raises(ValueError, match="one second"):
        store.presign("k", filename="a", content_type="b", ttl=timedelta(seconds=seconds))


def test_a_file_name_cannot_inject_a_header(store: ObjectStore) -> None:
    with pytest.raises(InvalidFilename):
        store.presign(
            "k", filename="a\r\nSet-Cookie: b", content_type="b", ttl=timedelta(minutes=1)
        )


def test_check_finds_the_clocks_together(store: ObjectStore) -> None:
    assert abs(store.check()) < timedelta(seconds=3)


def test_the_bucket_can_be_ensured_again_and_again(store: ObjectStore) -> None:
    for retention_days in (7, 30):
        store.ensure_bucket()
        assert store.ensure_rules(OWNER, retention_days) == ()


def test_a_closed_store_can_be_closed_again(store: ObjectStore) -> None:
    store.close()
    store.close()
