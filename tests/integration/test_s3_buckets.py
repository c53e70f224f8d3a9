"""The bucket: making it, its clean-up rules beside other people's, and long listings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.stored_keys import OWNER, stored_keys
from waybill.storage.config import S3Config
from waybill.storage.connection import S3Connection
from waybill.storage.lifecycle import expiry_rule, other_installations
from waybill.storage.s3 import S3Store
from waybill.storage.store import Owner

OURS = OWNER.installation

OWNERS_RULE = {
    "ID": "the-owners-rule",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 365},
}


@pytest.fixture
def connection(s3_config: S3Config, key_prefix: str) -> Iterator[S3Connection]:
    """A bucket that does not exist yet."""
    connection = S3Connection(replace(s3_config, bucket=f"bucket-{key_prefix[:20]}"))
    yield connection
    connection.close()


@pytest.fixture
def store(connection: S3Connection) -> Iterator[S3Store]:
    store = S3Store(connection.config)
    yield store
    store.close()


def rules_of(connection: S3Connection) -> dict[str, dict]:
    answer = connection.call(
        lambda client: client.get_bucket_lifecycle_configuration(Bucket=connection.bucket)
    )
    return {rule["ID"]: rule for rule in answer["Rules"]}


def days_of(connection: S3Connection, rule: str) -> int:
    days: int = rules_of(connection)[rule]["Expiration"]["Days"]
    return days


def make_bucket(connection: S3Connection, *rules: dict, keys: tuple[str, ...] = ()) -> None:
    bucket = connection.bucket
    connection.call(lambda client: client.create_bucket(Bucket=bucket))
    if rules:
        connection.call(
            lambda client: client.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}
            )
        )
    for key in keys:
        connection.call(lambda client, key=key: client.put_object(Bucket=bucket, Key=key))


def test_a_missing_bucket_is_made_with_the_rules_of_an_installation(
    store: S3Store, connection: S3Connection
) -> None:
    store.ensure_bucket()
    assert store.ensure_rules(OWNER, 7) == ()
    rules = rules_of(connection)
    expire, abort = rules[f"waybill-expire-{OURS}"], rules[f"waybill-abort-{OURS}"]
    # A day later than promised, so that the rule never beats the promise.
    assert expire["Expiration"]["Days"] == 8
    assert abort["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2
    assert expire["Filter"] == abort["Filter"] == {"Prefix": OWNER.prefix}


def test_another_retention_changes_the_rule(store: S3Store, connection: S3Connection) -> None:
    store.ensure_bucket()
    for retention_days in (30, 7):
        assert store.ensure_rules(OWNER, retention_days) == ()
        assert days_of(connection, f"waybill-expire-{OURS}") == retention_days + 1


def test_rules_and_objects_of_the_buckets_owner_are_left_alone(
    store: S3Store, connection: S3Connection
) -> None:
    make_bucket(connection, OWNERS_RULE, keys=("precious",))
    assert store.ensure_rules(OWNER, 7) == ()
    rules = rules_of(connection)
    assert len(rules) == 3
    assert rules["the-owners-rule"]["Expiration"]["Days"] == 365
    assert all(rule["Filter"]["Prefix"] for rule in rules.values())


def test_f92_installations_on_one_bucket_do_not_change_each_others_retention(
    store: S3Store, connection: S3Connection
) -> None:
    other = Owner("ba9876543210", "exports/ba9876543210/")
    store.ensure_bucket()
    store.ensure_rules(OWNER, 365)
    store.ensure_rules(other, 7)
    store.ensure_rules(OWNER, 365)
    assert days_of(connection, f"waybill-expire-{OURS}") == 366
    assert days_of(connection, "waybill-expire-ba9876543210") == 8
    assert other_installations(connection, OWNER) == ["ba9876543210"]
    assert other_installations(connection, other) == [OURS]


@pytest.mark.parametrize(("before", "after"), [(8, 31), (366, 366)])
def test_f92_the_rule_of_an_earlier_version_is_lengthened_and_never_shortened_or_removed(
    store: S3Store, connection: S3Connection, before: int, after: int
) -> None:
    earlier = OWNERS_RULE | {
        "ID": "waybill-expire-objects",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": before},
    }
    make_bucket(connection, earlier)
    assert store.ensure_rules(OWNER, 30) == ()
    assert days_of(connection, "waybill-expire-objects") == after
    # The archive of the audit log is not among what it expires.
    assert expiry_rule(connection, "exports/") == "waybill-expire-objects"
    assert expiry_rule(connection, "audit/") is None
    assert days_of(connection, f"waybill-expire-{OURS}") == 31


def test_ten_processes_can_make_the_bucket_at_once(connection: S3Connection) -> None:
    def ensure(_: int) -> tuple[str, ...]:
        store = S3Store(connection.config)
        store.ensure_bucket()
        missing = store.ensure_rules(OWNER, 7)
        store.close()
        return missing

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ensure, range(10))) == [()] * 10


def test_a_listing_longer_than_a_page_is_whole(
    s3_store: S3Store, s3_config: S3Config, key_prefix: str
) -> None:
    connection = S3Connection(s3_config)
    keys = [f"{key_prefix}{number:04}" for number in range(1001)]

    def begin_and_put(key: str) -> None:
        connection.call(lambda client: client.put_object(Bucket=s3_config.bucket, Key=key))
        connection.call(
            lambda client: client.create_multipart_upload(Bucket=s3_config.bucket, Key=key)
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin_and_put, keys))
    assert stored_keys(s3_store, key_prefix) == keys
    assert sorted(upload.key for upload in s3_store.list_uploads(key_prefix)) == keys
    connection.close()


def test_a_rule_that_would_delete_what_is_stored_under_a_prefix_is_found(
    store: S3Store, connection: S3Connection
) -> None:
    make_bucket(connection, OWNERS_RULE)

    found = {prefix: store.expiry_rule(prefix) for prefix in ("logs/", "logs/a/", "l", "audit/")}
    name = OWNERS_RULE["ID"]
    assert found == {"logs/": name, "logs/a/": name, "l": name, "audit/": None}
