"""What an operator has to mend: F45 and F46, and what must never travel or be shown."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.servers import s3_stub
from tests.support.servers.certificates import self_signed
from tests.support.servers.ports import free_ports
from tests.support.servers.s3_stub import S3Stub
from tests.support.servers.s3_stub_bucket import Answer
from waybill.storage.errors import StorageRejected, StorageUnavailable
from waybill.storage.parts import crc32_of
from waybill.storage.s3 import S3Store


def begin(store: S3Store) -> None:
    with store.open_upload("key", content_type="text/plain"):
        pass


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (404, "NoSuchBucket"),
        (301, "PermanentRedirect"),
    ],
)
def test_f45_a_refusal_is_for_the_operator_and_not_repeated(
    stub_store: S3Store, stub: S3Stub, status: int, code: str
) -> None:
    stub.script_always("CreateMultipartUpload", s3_stub.error(status, code))
    with pytest.raises(StorageRejected) as caught:
        begin(stub_store)
    assert caught.value.code == "storage_config"
    assert code in caught.value.message
    assert len(stub.seen("CreateMultipartUpload")) == 1


def test_f45_a_wrong_key_is_refused_by_the_check_too(stub: S3Stub) -> None:
    store = S3Store(replace(stub.config(), access_key_id="somebody-else"))
    with pytest.raises(StorageRejected):
        store.check()
    store.close()


def test_a_gateway_that_answers_with_a_page_is_no_answer(stub_store: S3Store, stub: S3Stub) -> None:
    page = Answer(200, b"<html><body>Please log in<br></body></html>")
    stub.script_always("CreateMultipartUpload", lambda exchange: exchange.reply(page))
    with pytest.raises(StorageUnavailable):
        begin(stub_store)


def test_f46_check_measures_how_far_the_clocks_are_apart() -> None:
    with S3Stub(clock_ahead=timedelta(minutes=-20)) as stub:
        store = S3Store(stub.config())
        assert abs(store.check() + timedelta(minutes=20)) < timedelta(seconds=3)
        store.close()


def test_f46_a_refusal_because_of_the_clock_says_so() -> None:
    with S3Stub(clock_ahead=timedelta(minutes=20)) as stub:
        # A HEAD has no body, and so no code: the Date header tells.
        stub.script_always("HeadBucket", s3_stub.error(403, "RequestTimeTooSkewed"))
        store = S3Store(stub.config())
        with pytest.raises(StorageRejected, match="clocks"):
            store.check()
        store.close()


def test_a_store_that_is_down_is_unavailable_and_its_address_is_not_shown() -> None:
    (port,) = free_ports(1)
    with S3Stub() as stub:
        config = replace(stub.config(attempts=1), endpoint_url=f"http://127.0.0.1:{port}")
    store = S3Store(config)
    with pytest.raises(StorageUnavailable) as caught:
        store.check()
    assert str(port) not in caught.value.message
    store.close()


@pytest.fixture
def tls_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A self-signed certificate that boto3 is told to trust."""
    certificate = self_signed(tmp_path, "127.0.0.1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.pem))
    return certificate.server()


def test_over_tls_parts_travel_plain_with_our_checksum(tls_context: ssl.SSLContext) -> None:
    """Older MinIO and Swift refuse botocore's default there, the aws-chunked framing."""
    with S3Stub(tls=tls_context) as stub:
        store = S3Store(stub.config())
        with store.open_upload("key", content_type="text/plain") as sink:
            sink.write(b"over TLS")
        store.close()
    assert stub.bucket.objects["key"].data == b"over TLS"
    (part,) = stub.seen("UploadPart")
    assert "content-encoding" not in part.headers
    assert part.headers["x-amz-content-sha256"] == sha256(b"over TLS").hexdigest()
    assert part.headers["x-amz-checksum-crc32"] == crc32_of(b"over TLS")
