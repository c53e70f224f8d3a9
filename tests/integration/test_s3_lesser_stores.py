"""A store that keeps no lifecycle rules and no checksums still gets whole files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import httpx2
import pytest

from tests.support.stored_keys import OWNER
from waybill.storage.config import S3Config
from waybill.storage.lifecycle import ABORT_UPLOADS, EXPIRE_OBJECTS
from waybill.storage.parts import MIN_PART_BYTES
from waybill.storage.s3 import S3Store


@pytest.fixture
def store(juicefs_config: S3Config) -> Iterator[S3Store]:
    with closing(S3Store(juicefs_config)) as store:
        yield store


def test_rules_that_a_store_does_not_know_are_named_and_do_no_harm(store: S3Store):
    assert store.ensure_rules(OWNER, 7) == (
        EXPIRE_OBJECTS + OWNER.installation, ABORT_UPLOADS + OWNER.installation
    )  # fmt: skip


def test_parts_without_confirmed_checksums_are_joined_all_the_same(store: S3Store, key_prefix: str):
    data = bytes(range(256)) * (MIN_PART_BYTES // 100)
    key = f"{key_prefix}导出.csv"
    with store.open_upload(key, content_type="text/csv", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(data)
    assert store.head(key).size_bytes == len(data)
    link = store.presign(key, filename="a.csv", content_type="text/csv", ttl=timedelta(minutes=1))
    assert httpx2.get(link.url).content == data
