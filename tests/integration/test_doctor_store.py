"""What `waybill doctor` says of stores and links: FC38 to FC41, FC44 and O39."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.servers.certificates import self_signed
from tests.support.servers.s3_gate import GateRequest, Refusal, Rule, S3Gate, refuse
from tests.support.stored_keys import stored_keys
from waybill.api.cli.doctor.store import (
    LinkUnreachable,
    RightsMissing,
    WrongRegion,
    check_rights,
    check_signing_host,
    check_storage,
)
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config
from waybill.storage.errors import StorageError, StorageRejected
from waybill.storage.s3 import S3Store

DENIED = Refusal(403, "AccessDenied", "with an explicit deny in a resource-based policy")


@pytest.fixture
def bucket(s3_config: S3Config) -> S3Config:
    """A bucket of this test."""
    config = replace(s3_config, bucket=f"doctor-{uuid4().hex[:12]}")
    with closing(S3Store(config)) as store:
        store.ensure_bucket()
    return config


@pytest.fixture
def gate(bucket: S3Config) -> Iterator[S3Gate]:
    with S3Gate(bucket) as gate:
        yield gate


@contextmanager
def stack_of(config: S3Config, **settings: object) -> Iterator[Stack]:
    with closing(S3Store(config)) as store:
        own = {
            "home": Path("/nonexistent"),
            "database_url": "sqlite://",
            "s3_bucket": config.bucket,
        }
        settings = own | settings
        with Stack(load(**settings), store=store) as stack:
            yield stack


def test_a_store_that_has_everything_is_in_order_and_left_empty(gate: S3Gate, bucket) -> None:
    with stack_of(gate.config()) as stack:
        assert check_rights(stack) == "write, read, list and delete"
        assert check_signing_host(stack) == "a signed link was fetched through it"
        assert f"bucket {bucket.bucket} in us-east-1" in check_storage(stack)
        assert stored_keys(stack.store) == []


def method(name: str, *query: str) -> Callable[[GateRequest], bool]:
    return lambda request: request.method == name and all(part in request.query for part in query)


@pytest.mark.parametrize(
    ("right", "forbidden", "consequence"),
    [
        ("s3:ListBucketMultipartUploads", method("GET", "uploads"), "stays for two days"),
        ("s3:AbortMultipartUpload", method("DELETE", "uploadId"), "stays for two days"),
        (
            "s3:DeleteObject",
            lambda request: request.method == "DELETE" and not request.query,
            "no file is ever deleted",
        ),
        ("s3:PutObject", method("POST", "uploads"), "WAYBILL_S3_SSE"),
        (
            "s3:GetObject",
            lambda request: request.method == "HEAD" and "/probe/" in request.path,
            "no link can be followed",
        ),
    ],
)
def test_o39_a_right_that_is_missing_is_named_with_its_consequence(
    gate: S3Gate, right: str, forbidden: Callable[[GateRequest], bool], consequence: str
) -> None:
    gate.rules.append(refuse(DENIED, forbidden))
    with stack_of(gate.config()) as stack, pytest.raises(RightsMissing) as caught:
        check_rights(stack)
    assert caught.value.message.startswith(f"{right} is missing")
    assert consequence in caught.value.message
    # The refusal of a HEAD has no body.
    assert ("explicit deny" in caught.value.message) is (right != "s3:GetObject")


def test_fc39_versions_are_said_and_the_probes_leave_none(bucket: S3Config) -> None:
    with closing(S3Store(bucket)) as store:
        store.connection.call(
            lambda client: client.put_bucket_versioning(
                Bucket=bucket.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        )
    with stack_of(bucket) as stack:
        assert "it keeps versions" in check_storage(stack)
        check_rights(stack)
        check_signing_host(stack)
    with closing(S3Store(bucket)) as store:
        left = store.connection.call(
            lambda client: client.list_object_versions(Bucket=bucket.bucket)
        )
        assert "Versions" not in left
        assert "DeleteMarkers" not in left


def only_in(region: str) -> Rule:
    return refuse(
        Refusal(
            400,
            "AuthorizationHeaderMalformed",
            f"the region is wrong; expecting '{region}'",
            more=f"<Region>{region}</Region>",
            headers=(("x-amz-bucket-region", region),),
        ),
        lambda request: request.signed_for != region,
    )


def test_fc40_a_region_that_is_not_the_buckets_is_named_with_the_right_one(gate: S3Gate) -> None:
    gate.rules.append(only_in("eu-central-1"))
    with stack_of(gate.config(region="us-east-1")) as stack:
        with pytest.raises(WrongRegion, match=r"eu-central-1.*WAYBILL_S3_REGION"):
            check_storage(stack)
        with pytest.raises(LinkUnreachable, match=r"answered 400.*region is wrong"):
            check_signing_host(stack)
    with stack_of(gate.config(region=None)) as stack:
        check_storage(stack)
        check_signing_host(stack)


@pytest.mark.parametrize(
    ("page", "endpoint", "says"),
    [
        ("https://exports.example.com", "http://files.example.com", "mixed content"),
        ("https://exports.example.com", "http://127.0.0.1:9", "mixed content"),
        ("http://exports.example.com", "http://127.0.0.1:9", "their own machines"),
        ("https://exports.example.com", "https://localhost:9", "their own machines"),
    ],
)
def test_fc41_links_that_a_browser_on_the_page_does_not_follow_are_bad(
    bucket: S3Config, page: str, endpoint: str, says: str
) -> None:
    config = replace(bucket, public_endpoint_url=endpoint)
    with stack_of(config, public_url=page) as stack:
        with pytest.raises(LinkUnreachable, match=rf"{says}.* WAYBILL_S3_PUBLIC_ENDPOINT_URL"):
            check_signing_host(stack)
        assert stored_keys(stack.store) == []


def test_fc41_a_page_on_this_machine_may_have_links_to_this_machine(bucket: S3Config) -> None:
    with stack_of(bucket, public_url="https://localhost:8000") as stack:
        assert check_signing_host(stack)


def test_fc44_the_probe_trusts_the_authority_that_requests_trust(
    bucket: S3Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path, "127.0.0.1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.pem))
    with S3Gate(bucket, tls=certificate.server()) as gate, stack_of(gate.config()) as stack:
        assert check_signing_host(stack)
        assert check_rights(stack)


@pytest.mark.parametrize(
    ("names", "bundle", "says"),
    [
        (["127.0.0.1"], None, r"certificate is not accepted: self-signed.*AWS_CA_BUNDLE"),
        (["other.test"], "own", r"certificate is not accepted: .*other\.test"),
        (["127.0.0.1"], "/nonexistent", "AWS_CA_BUNDLE names no readable file"),
        (["127.0.0.1"], __file__, "AWS_CA_BUNDLE names no readable file"),
    ],
)
def test_fc44_a_certificate_that_is_not_accepted_is_called_that(
    bucket: S3Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    bundle: str | None,
    says: str,
) -> None:
    certificate = self_signed(tmp_path, *names)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    if bundle is not None:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.pem) if bundle == "own" else bundle)
    with S3Gate(bucket, tls=certificate.server()) as gate:
        with (
            stack_of(gate.config(attempts=1)) as stack,
            pytest.raises(StorageRejected, match=says),
        ):
            check_storage(stack)
        # The same where only the public host has it.
        config = replace(bucket, public_endpoint_url=gate.url)
        with stack_of(config) as stack, pytest.raises(LinkUnreachable, match=says):
            check_signing_host(stack)


def test_fc44_https_where_the_store_speaks_http_is_said(gate: S3Gate) -> None:
    config = gate.config(endpoint_url=gate.url.replace("http:", "https:"), attempts=1)
    with stack_of(config) as stack, pytest.raises(StorageError, match="without TLS"):
        check_storage(stack)
