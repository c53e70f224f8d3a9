"""Stores that refuse what AWS accepts, or demand what it does not: FC35, FC37, FC38, FC40."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import httpx2
import pytest

from tests.support.servers.juicefs import DOMAIN
from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.servers.s3_stub import S3Stub
from tests.support.stored_keys import OWNER
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config
from waybill.storage.errors import StorageRejected
from waybill.storage.parts import MIN_PART_BYTES
from waybill.storage.s3 import S3Store

DATA = b"".join(bytes([65 + n]) * MIN_PART_BYTES for n in range(2)) + b"the last part"


def put(store: S3Store, key: str, data: bytes = b"data") -> None:
    with store.open_upload(key, content_type="text/csv", part_bytes=MIN_PART_BYTES) as upload:
        upload.write(data)


def link_to(store: S3Store, key: str) -> str:
    return store.presign(
        key, filename="a.csv", content_type="text/csv", ttl=timedelta(minutes=1)
    ).url


@pytest.fixture
def virtual_gate(juicefs_config: S3Config, monkeypatch: pytest.MonkeyPatch):
    """A store that serves no bucket by its path, reached by its name through a proxy."""
    forbidden = Refusal(403, "SecondLevelDomainForbidden", "Please use virtual hosted style.")
    in_path = refuse(forbidden, lambda request: request.host.split(":")[0] == DOMAIN)
    with S3Gate(juicefs_config, in_path) as gate:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, gate.url)
        yield gate


@pytest.mark.parametrize("addressing", ["auto", "virtual"])
def test_fc35_the_bucket_is_in_the_host_name_of_requests_and_links(
    virtual_gate: S3Gate, key_prefix: str, addressing: str
) -> None:
    config = virtual_gate.config(endpoint_url=f"http://{DOMAIN}", addressing=addressing)
    key = f"{key_prefix}订单.csv"
    with closing(S3Store(config)) as store:
        store.ensure_bucket()
        put(store, key, DATA)
        assert store.head(key).size_bytes == len(DATA)
        url = link_to(store, key)
        assert url.startswith(f"http://{config.bucket}.{DOMAIN}/{key_prefix}")
        assert httpx2.get(url, proxy=virtual_gate.url).content == DATA
        assert store.abort_uploads(key) == 0
        store.delete(key)
        assert store.head(key) is None
    assert bool(virtual_gate.refused) is (addressing == "auto")


def test_fc35_a_store_that_wants_the_bucket_in_its_host_name_is_told_from_one_without_rights(
    virtual_gate: S3Gate,
) -> None:
    config = virtual_gate.config(endpoint_url=f"http://{DOMAIN}", addressing="path")
    with closing(S3Store(config)) as store:
        with pytest.raises(StorageRejected, match="WAYBILL_S3_ADDRESSING=virtual"):
            store.check()
        with pytest.raises(StorageRejected, match="SecondLevelDomainForbidden"):
            put(store, "key")


def sends(*prefixes: str) -> Callable[[GateRequest], bool]:
    """Whether a request has a header that begins so."""
    return lambda request: any(name.startswith(prefixes) for name in request.headers)


#: What a store refuses, and how.
REFUSALS = {
    "create": (sends("x-amz-checksum-algorithm"), Refusal(400, "InvalidArgument")),
    "create, 501": (sends("x-amz-checksum-algorithm"), Refusal(501, "NotImplemented")),
    "part": (sends("x-amz-checksum-crc32"), Refusal(400, "InvalidRequest")),
    "size": (sends("x-amz-mp-object-size"), Refusal(400, "InvalidArgument")),
    "head": (sends("x-amz-checksum-mode"), Refusal(400, "InvalidArgument")),
    "all": (sends("x-amz-checksum", "x-amz-sdk", "x-amz-mp"), Refusal(400, "XNotKnown")),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_fc37_a_store_without_checksum_headers_gets_content_md5_and_is_asked_once(
    gate: S3Gate, key_prefix: str, what: str
) -> None:
    condition, refusal = REFUSALS[what]
    gate.rules.append(refuse(refusal, condition))
    keys = [f"{key_prefix}{number}" for number in range(2)]
    with closing(S3Store(gate.config())) as store:
        put(store, keys[0], DATA)
        assert store.head(keys[0]).size_bytes == len(DATA)
        assert gate.refused
        refused, seen = len(gate.refused), len(gate.seen)
        put(store, keys[1], DATA)
        assert httpx2.get(link_to(store, keys[1])).content == DATA
    assert len(gate.refused) == refused
    parts = [request for request in gate.seen[seen:] if "partNumber" in request.query]
    assert len(parts) == 3
    assert all("content-md5" in part.headers for part in parts)


def test_fc37_a_store_without_checksum_headers_gets_its_clean_up_rules(
    gate: S3Gate, key_prefix: str
) -> None:
    refusal = Refusal(400, "InvalidRequest", "Missing required header: Content-MD5")
    gate.rules.append(
        refuse(
            refusal,
            lambda request: (
                request.method == "PUT"
                and "lifecycle" in request.query
                and "content-md5" not in request.headers
            ),
        )
    )
    with closing(S3Store(gate.config(bucket=f"b-{key_prefix[:20]}"))) as store:
        store.ensure_bucket()
        assert store.ensure_rules(OWNER, 7) == ()


def test_fc37_a_refusal_for_another_reason_stays_one(gate: S3Gate, key_prefix: str) -> None:
    refusal = Refusal(400, "InvalidArgument", "The key is not to our taste.")
    gate.rules.append(refuse(refusal, lambda request: "uploads" in request.query))
    with closing(S3Store(gate.config())) as store, pytest.raises(Exception, match="our taste"):
        put(store, f"{key_prefix}key")


def kms_demanded(request: GateRequest) -> bool:
    return (
        request.method == "POST"
        and "uploads" in request.query
        and request.headers.get("x-amz-server-side-encryption") != "aws:kms"
    )


DENIED = Refusal(
    403,
    "AccessDenied",
    "User: arn:aws:iam::123456789012:user/exports is not authorized to perform: s3:PutObject "
    "on resource: &quot;arn:aws:s3:::b/k&quot; with an explicit deny in a resource-based policy",
)


def test_fc38_the_stores_own_sentence_is_in_the_error_without_names_of_ours(
    gate: S3Gate, key_prefix: str
) -> None:
    gate.rules.append(refuse(DENIED, kms_demanded))
    with closing(S3Store(gate.config())) as store, pytest.raises(StorageRejected) as caught:
        put(store, f"{key_prefix}key")
    assert "s3:PutObject" in caught.value.message
    assert "explicit deny in a resource-based policy" in caught.value.message
    assert "user/exports" not in caught.value.message


def test_fc38_a_store_that_demands_encryption_gets_it(gate: S3Gate, key_prefix: str) -> None:
    def unencrypted(request: GateRequest) -> bool:
        wanted = request.headers.get("x-amz-server-side-encryption")
        return request.method == "POST" and "uploads" in request.query and wanted != "AES256"

    gate.rules.append(refuse(DENIED, unencrypted))
    key = f"{key_prefix}key"
    with closing(S3Store(gate.config(encryption="AES256"))) as store:
        put(store, key, DATA)
        assert httpx2.get(link_to(store, key)).content == DATA
        answer = store.connection.call(
            lambda client: client.head_object(Bucket=store.connection.bucket, Key=key)
        )
    assert answer["ServerSideEncryption"] == "AES256"


def test_fc38_a_key_of_ones_own_is_named(stub: S3Stub, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    config = stub.config()
    settings = load(
        s3_endpoint_url=config.endpoint_url,
        s3_bucket=config.bucket,
        s3_access_key_id=config.access_key_id,
        s3_secret_access_key=config.secret_access_key,
        s3_addressing="path",
        s3_sse="aws:kms",
        s3_sse_kms_key_id="arn:aws:kms:eu-west-1:1:key/k",
    )
    with Stack(settings) as stack, stack.store.open_upload("key", content_type="a/b"):
        pass
    (create,) = stub.seen("CreateMultipartUpload")
    assert create.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert create.headers["x-amz-server-side-encryption-aws-kms-key-id"].endswith("key/k")


def only_in(region: str) -> Callable[[GateRequest], Refusal | None]:
    """A store that is in one region, and says so as AWS does."""

    def rule(request: GateRequest) -> Refusal | None:
        if request.signed_for == region:
            return None
        return Refusal(
            400,
            "AuthorizationHeaderMalformed",
            more=f"<Region>{region}</Region>",
            headers=(("x-amz-bucket-region", region),),
        )

    return rule


def silently_only_in(region: str) -> Callable[[GateRequest], Refusal | None]:
    """MinIO's way: the region stands in the document alone, so a HEAD has nothing to say."""

    def rule(request: GateRequest) -> Refusal | None:
        if request.signed_for == region:
            return None
        return Refusal(400, "AuthorizationHeaderMalformed", more=f"<Region>{region}</Region>")

    return rule


@pytest.mark.parametrize("rule", [only_in, silently_only_in])
@pytest.mark.parametrize("asked_before", [True, False])
def test_fc40_links_are_signed_for_the_region_that_the_store_names(
    gate: S3Gate, key_prefix: str, rule, asked_before: bool
) -> None:
    key = f"{key_prefix}key"
    gate.rules.append(rule("eu-central-1"))
    with closing(S3Store(gate.config(region=None))) as store:
        if asked_before:
            store.ensure_bucket()
            put(store, key)
        url = link_to(store, key)
        assert "eu-central-1" in url
        put(store, key)
        assert httpx2.get(url).content == b"data"
        refused = len(gate.refused)
        link_to(store, key)
    assert len(gate.refused) == refused


def test_fc40_aws_is_asked_for_the_region_before_a_link_is_signed(
    gate: S3Gate, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", gate.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    gate.rules.append(only_in("eu-central-1"))
    config = gate.config(region=None, endpoint_url=None, addressing="path")
    with closing(S3Store(config)) as store:
        put(store, f"{key_prefix}key")
        assert httpx2.get(link_to(store, f"{key_prefix}key")).content == b"data"


def test_fc40_a_region_that_is_configured_is_obeyed_without_asking(gate: S3Gate) -> None:
    with closing(S3Store(gate.config(region="eu-west-3"))) as store:
        assert "eu-west-3" in link_to(store, "key")
    assert gate.seen == []
