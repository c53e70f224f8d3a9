"""Signed links, as a real server judges them. Refusals are asserted by their status alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from tests.support.eventually import wait_for
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

DATA = bytes(range(256)) * 40


@pytest.fixture(scope="module", params=["seaweedfs", "minio's code"])
def s3_config(request: pytest.FixtureRequest, s3_config: S3Config) -> S3Config:
    """Each test below runs against both servers."""
    return s3_config if request.param == "seaweedfs" else request.getfixturevalue("juicefs_config")


@pytest.fixture
def key(s3_store: S3Store, key_prefix: str) -> str:
    key = f"{key_prefix}report 1%.csv"
    for name in (key, f"{key_prefix}other"):
        with s3_store.open_upload(name, content_type="application/octet-stream") as upload:
            upload.write(DATA)
    return key


def sign(store: S3Store, key: str, **changes: object) -> str:
    wanted = {"filename": "a.csv", "content_type": "text/csv", "ttl": timedelta(minutes=5)}
    return store.presign(key, **{**wanted, **changes}).url


def altered(url: str, **parameters: str) -> str:
    """`url` with query parameters set to something else, everything else the same."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return urlunsplit(parts._replace(query=urlencode({**query, **parameters})))


def test_a_link_downloads_the_object_under_its_name(s3_store: S3Store, key: str) -> None:
    answer = httpx2.get(sign(s3_store, key, filename='导出 "quotes".csv'))
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "text/csv"
    assert re.fullmatch(
        r'attachment; filename="__ _quotes_-[0-9a-f]{8}\.csv"; '
        r"filename\*=UTF-8''%E5%AF%BC%E5%87%BA%20%22quotes%22\.csv",
        answer.headers["content-disposition"],
    )


def test_fc43_a_link_for_head_describes_the_object_and_gives_no_byte(
    s3_store: S3Store, key: str
) -> None:
    link = sign(s3_store, key, method="HEAD", filename="a.csv")
    answer = httpx2.head(link)
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(DATA)))
    assert httpx2.get(link).status_code == 403
    assert httpx2.head(sign(s3_store, key)).status_code == 403


def test_a_download_can_be_resumed(s3_store: S3Store, key: str) -> None:
    answer = httpx2.get(sign(s3_store, key), headers={"Range": "bytes=1000-"})
    assert (answer.status_code, answer.content) == (206, DATA[1000:])


def test_a_signature_that_was_altered_is_refused(s3_store: S3Store, key: str) -> None:
    url = sign(s3_store, key)
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
    other = ("0" if signature[0] != "0" else "1") + signature[1:]
    assert httpx2.get(altered(url, **{"X-Amz-Signature": other})).status_code == 403


@pytest.mark.parametrize(
    "parameters",
    [
        {"X-Amz-Expires": "604800"},
        {"X-Amz-Date": "20260101T000000Z"},
        {"response-content-disposition": "inline"},
        {"response-content-type": "text/html"},
        {"response-cache-control": "public"},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_a_link_with_another_parameter_is_refused(
    s3_store: S3Store, key: str, parameters: dict[str, str]
) -> None:
    assert httpx2.get(altered(sign(s3_store, key), **parameters)).status_code == 403


def test_a_link_is_good_for_one_key(s3_store: S3Store, key: str, key_prefix: str) -> None:
    url = sign(s3_store, key)
    path = urlsplit(sign(s3_store, f"{key_prefix}other")).path
    assert httpx2.get(urlunsplit(urlsplit(url)._replace(path=path))).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_link_is_good_for_reading_only(s3_store: S3Store, key: str, method: str) -> None:
    assert httpx2.request(method, sign(s3_store, key)).status_code == 403
    assert s3_store.head(key).size_bytes == len(DATA)


def test_a_link_ends(s3_store: S3Store, key: str) -> None:
    url = sign(s3_store, key, ttl=timedelta(seconds=1))
    wait_for(lambda: httpx2.get(url).status_code == 403)


def test_a_link_signed_with_another_secret_is_refused(s3_config: S3Config, key: str) -> None:
    forger = S3Store(replace(s3_config, secret_access_key="guessed"))
    assert httpx2.get(sign(forger, key)).status_code == 403
    forger.close()


def test_a_link_is_signed_for_the_public_host(s3_config: S3Config, key: str) -> None:
    public = s3_config.endpoint_url.replace("127.0.0.1", "localhost")
    store = S3Store(replace(s3_config, public_endpoint_url=public))
    url = sign(store, key)
    store.close()
    assert url.startswith(public)
    assert httpx2.get(url).content == DATA
    assert httpx2.get(url.replace("localhost", "127.0.0.1")).status_code == 403
