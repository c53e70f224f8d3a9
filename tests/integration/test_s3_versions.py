"""FC39: in a bucket that keeps versions, a deletion deletes the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.stored_keys import OWNER
from waybill.storage.config import S3Config
from waybill.storage.errors import StorageRejected
from waybill.storage.s3 import S3Store


@pytest.fixture
def config(s3_config: S3Config) -> S3Config:
    """A bucket of this test that keeps versions."""
    config = replace(s3_config, bucket=f"versions-{uuid4().hex[:12]}")
    with closing(S3Store(config)) as store:
        store.ensure_bucket()
        set_versioning(store, "Enabled")
    return config


@pytest.fixture
def store(config: S3Config) -> Iterator[S3Store]:
    with closing(S3Store(config)) as store:
        yield store


def set_versioning(store: S3Store, status: str) -> None:
    store.connection.call(
        lambda client: client.put_bucket_versioning(
            Bucket=store.connection.bucket, VersioningConfiguration={"Status": status}
        )
    )


def put(store: S3Store, key: str, data: bytes = b"data") -> None:
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(data)


def left(store: S3Store) -> list[tuple[str, str]]:
    """Every version and every marker in the bucket, by its kind and key."""
    answer = store.connection.call(
        lambda client: client.list_object_versions(Bucket=store.connection.bucket)
    )
    versions = [("Versions", item["Key"]) for item in answer.get("Versions", [])]
    return versions + [("DeleteMarkers", item["Key"]) for item in answer.get("DeleteMarkers", [])]


def test_every_version_of_the_object_is_deleted_and_of_no_other(store: S3Store) -> None:
    for key in ("a", "a.csv", "b"):
        put(store, key)
        put(store, key, b"again")
    store.delete("a")
    store.delete("b")
    store.delete("never there")
    assert left(store) == [("Versions", "a.csv")] * 2


def test_versions_from_before_versioning_was_suspended_are_deleted(store: S3Store) -> None:
    put(store, "key")
    set_versioning(store, "Suspended")
    put(store, "key")
    store.delete("key")
    # SeaweedFS 4.48 keeps the marker that it makes while versioning is suspended: no byte.
    assert ("Versions", "key") not in left(store)


def test_noncurrent_versions_expire_by_the_buckets_own_rule(store: S3Store) -> None:
    store.ensure_rules(OWNER, 7)
    answer = store.connection.call(
        lambda client: client.get_bucket_lifecycle_configuration(Bucket=store.connection.bucket)
    )
    (rule,) = [
        rule for rule in answer["Rules"] if rule["ID"] == f"waybill-expire-{OWNER.installation}"
    ]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_a_store_that_knows_no_versions_gets_the_rules_it_knows(s3_config: S3Config) -> None:
    no_versions = refuse(
        Refusal(501, "NotImplemented"), lambda request: b"Noncurrent" in request.body
    )
    with S3Gate(s3_config, no_versions) as gate:
        config = gate.config(bucket=f"versions-{uuid4().hex[:12]}")
        with closing(S3Store(config)) as store:
            store.ensure_bucket()
            assert store.ensure_rules(OWNER, 7) == ()


def is_versioned(request: GateRequest) -> bool:
    """Whether versions are listed, or one of them is deleted."""
    return "versions" in request.query or "versionId" in request.query


def test_versions_that_may_not_be_deleted_are_said_and_hidden_once(config: S3Config) -> None:
    denied = Refusal(403, "AccessDenied", "object protected by object lock")
    with S3Gate(config, refuse(denied, is_versioned)) as gate:
        with closing(S3Store(gate.config())) as store:
            for key in ("a", "b"):
                put(store, key)
            for _ in range(3):
                for key in ("a", "b"):
                    with pytest.raises(StorageRejected, match=r"keeps versions.*object lock"):
                        store.delete(key)
            assert store.head("a") is store.head("b") is None
        gate.rules.clear()
        with closing(S3Store(gate.config())) as store:
            assert left(store).count(("DeleteMarkers", "a")) == 1
            assert left(store).count(("DeleteMarkers", "b")) == 1
            assert left(store).count(("Versions", "b")) == 1
