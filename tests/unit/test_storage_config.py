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
LOCAL = S3Config("bucket", "http://127.0.0.1:9", access_key_id="key", secret_access_key=SECRET)


def link_query(store: S3Store, ttl: timedelta = timedelta(minutes=15)) -> dict[str, str]:
    link = store.presign("a/b", filename="a.csv", content_type="text/csv", ttl=ttl)
    store.close()
    return {name: values[0] for name, values in parse_qs(urlsplit(link.url).query).items()}


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9", "https://s3.example.com"])
def test_links_are_always_signed_with_sigv4(endpoint: str | None) -> None:
    config = S3Config("bucket", endpoint, access_key_id="key", secret_access_key=SECRET)
    query = link_query(S3Store(config))
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "900"
    assert query["response-content-type"] == "text/csv"
    assert query["response-content-disposition"].startswith("attachment")


def test_other_stores_are_addressed_by_path() -> None:
    url = (
        S3Store(LOCAL).presign("a/b", filename="a", content_type="b", ttl=timedelta(minutes=1)).url
    )
    assert url.startswith("http://127.0.0.1:9/bucket/a/b?")


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(LOCAL)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9000",
        "ftp://host",
        "http://",
        "http://user:password@host",
        "https://host/bucket",
        "https://host?x=1",
        "http://host:port",
    ],
)
@pytest.mark.parametrize("setting", ["endpoint_url", "public_endpoint_url"])
def test_an_endpoint_is_a_scheme_and_a_host(setting: str, url: str) -> None:
    with pytest.raises(ValueError, match="endpoint") as caught:
        S3Config("bucket", **{setting: url})
    assert "password" not in str(caught.value)


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
        profile = f"[default]\nregion = eu-west-1\ncredential_process = {sys.executable} {program}"
        (tmp_path / "config").write_text(profile)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        return S3Store(S3Config("bucket"))

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
