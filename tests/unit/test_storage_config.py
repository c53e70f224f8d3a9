"""The settings of a store, and the links signed with them. None of it touches a network."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from waybill.storage.config import S3Config
from waybill.storage.errors import StorageRejected, StorageUnavailable
from waybill.storage.s3 import S3Store

SECRET = "canary-secret"
KEYS = {"region": "us-east-1", "access_key_id": "key", "secret_access_key": SECRET}
LOCAL = S3Config("bucket", "http://127.0.0.1:9", **KEYS)


def link_query(store: S3Store, ttl: timedelta = timedelta(minutes=15)) -> dict[str, str]:
    link = store.presign("a/b", filename="a.csv", content_type="text/csv", ttl=ttl)
    store.close()
    return {name: values[0] for name, values in parse_qs(urlsplit(link.url).query).items()}


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9", "https://s3.example.com"])
def test_links_are_always_signed_with_sigv4(endpoint: str | None) -> None:
    config = S3Config("bucket", endpoint, **KEYS)
    query = link_query(S3Store(config))
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "900"
    assert query["response-content-type"] == "text/csv"
    assert query["response-content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("endpoint", "addressing", "begins"),
    [
        ("http://127.0.0.1:9", "auto", "http://127.0.0.1:9/bucket/a/b?"),
        ("https://s3.example.com", "path", "https://s3.example.com/bucket/a/b?"),
        ("https://s3.example.com", "virtual", "https://bucket.s3.example.com/a/b?"),
        (None, "auto", "https://bucket.s3.amazonaws.com/a/b?"),
        (None, "path", "https://s3.amazonaws.com/bucket/a/b?"),
        ("https://x.example/storage/v1/s3", "auto", "https://x.example/storage/v1/s3/bucket/a/b?"),
        ("https://x.example/s3/", "auto", "https://x.example/s3/bucket/a/b?"),
        ("https://x.example/s3", "virtual", "https://bucket.x.example/s3/a/b?"),
    ],
)
@pytest.mark.parametrize("public", [False, True])
def test_the_bucket_of_a_link_stands_where_the_store_expects_it(
    endpoint: str | None, addressing: str, begins: str, public: bool
) -> None:
    named = {"endpoint_url": "http://inside:9", "public_endpoint_url": endpoint}
    endpoints = named if public and endpoint else {"endpoint_url": endpoint}
    store = S3Store(S3Config("bucket", addressing=addressing, **endpoints, **KEYS))
    link = store.presign("a/b", filename="a", content_type="b", ttl=timedelta(minutes=1))
    store.close()
    assert link.url.startswith(begins)


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(LOCAL)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("127.0.0.1:9000", "http:// or https://"),
        ("ftp://host", "http:// or https://"),
        ("http://", "no host"),
        ("http://user:password@host", "user name"),
        ("https://host?x=1", "query"),
        ("https://host/path#x", "fragment"),
        ("http://host:port", "port"),
        ("http://host:0", "port"),
        ("http://[::1", "host"),
    ],
)
@pytest.mark.parametrize("setting", ["endpoint_url", "public_endpoint_url"])
def test_the_part_of_an_endpoint_that_is_wrong_is_named(setting: str, url: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        S3Config("bucket", **{setting: url})
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bucket": "bucket.with.dots", "endpoint_url": "https://s3.example.com"},
        {"bucket": "Bucket", "endpoint_url": "https://s3.example.com"},
        {"bucket": "bucket", "endpoint_url": "http://127.0.0.1:9000"},
        {"bucket": "bucket", "endpoint_url": "http://[::1]:9000"},
        {"bucket": "bucket", "public_endpoint_url": "https://203.0.113.7"},
    ],
)
def test_virtual_addressing_needs_two_names(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="virtual addressing"):
        S3Config(**wrong, addressing="virtual")


def test_a_key_for_encryption_needs_the_encryption_it_is_for() -> None:
    S3Config("bucket", encryption="aws:kms:dsse", kms_key_id="key")
    for encryption in (None, "AES256"):
        with pytest.raises(ValueError, match="aws:kms"):
            S3Config("bucket", encryption=encryption, kms_key_id="key")


def test_half_a_key_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        S3Config("bucket", access_key_id="key")


def test_no_request_waits_for_a_minute_and_no_thread_for_a_connection() -> None:
    config = LOCAL.client_config()
    assert config.connect_timeout <= 10
    assert config.read_timeout <= 30
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert config.max_pool_connections >= 32


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Temporary credentials, got the way the AWS chain gets them from a program."""

    def with_life_left(life: timedelta) -> S3Store:
        answer = {
            "Version": 1,
            "AccessKeyId": "temporary",
            "SecretAccessKey": SECRET,
            "SessionToken": "token",
            "Expiration": (datetime.now(UTC) + life).isoformat(),
        }
        program = tmp_path / "credentials.py"
        program.write_text(f"print({json.dumps(answer)!r})")
        profile = f"[default]\ncredential_process = {sys.executable} {program}"
        (tmp_path / "config").write_text(profile)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        return S3Store(S3Config("bucket", region="eu-west-1"))

    return with_life_left


def test_a_link_ends_with_the_temporary_credentials_that_signed_it(role) -> None:
    store = role(timedelta(minutes=20))
    link = store.presign("k", filename="a", content_type="b", ttl=timedelta(days=1))
    store.close()
    (expires,) = parse_qs(urlsplit(link.url).query)["X-Amz-Expires"]
    assert 1190 <= int(expires) <= 1200
    assert link.expires_at <= datetime.now(UTC) + timedelta(minutes=20)


def test_credentials_in_their_last_second_sign_nothing(role) -> None:
    store = role(timedelta(seconds=0.5))
    with pytest.raises((StorageUnavailable, StorageRejected)):
        store.presign("k", filename="a", content_type="b", ttl=timedelta(days=1))
    store.close()


def test_credentials_that_are_fetched_too_late_sign_nothing(role) -> None:
    store = role(-timedelta(seconds=5))
    with pytest.raises((StorageUnavailable, StorageRejected)):
        store.presign("k", filename="a", content_type="b", ttl=timedelta(days=1))
    store.close()
