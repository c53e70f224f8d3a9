"""How answers of a store become errors, and what those tell a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from waybill.storage.errors import (
    ChecksumMismatch,
    ClockRejected,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
    UploadTooLarge,
)
from waybill.storage.s3_errors import translate

URL = "http://canary.example.com/bucket?X-Amz-Signature=canary"


def answer(status: int, code: str, **headers: str) -> boto.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    error = {"Code": code, "Message": f"no, {URL}"}
    return boto.ClientError({"Error": error, "ResponseMetadata": metadata}, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(503, "SlowDown"), StorageUnavailable),
        (answer(500, "InternalError"), StorageUnavailable),
        (answer(200, "InternalError"), StorageUnavailable),
        (answer(502, "502"), StorageUnavailable),
        (answer(507, "XMinioStorageFull"), StorageUnavailable),
        (answer(429, "TooManyRequests"), StorageUnavailable),
        (answer(400, "RequestTimeout"), StorageUnavailable),
        (answer(400, "ExpiredToken"), StorageUnavailable),
        (answer(403, "RequestExpired"), StorageUnavailable),
        (answer(400, "BadDigest"), ChecksumMismatch),
        (answer(400, "XAmzContentSHA256Mismatch"), ChecksumMismatch),
        (answer(403, "AccessDenied"), StorageRejected),
        (answer(403, "InvalidAccessKeyId"), StorageRejected),
        (answer(403, "RequestTimeTooSkewed"), ClockRejected),
        (answer(400, "AuthorizationHeaderMalformed"), StorageRejected),
        (answer(404, "NoSuchBucket"), StorageRejected),
        (answer(404, "404"), StorageRejected),
        (answer(301, "301"), StorageRejected),
        (answer(404, "NoSuchUpload"), UploadConflict),
        (answer(412, "PreconditionFailed"), UploadConflict),
        (answer(400, "EntityTooLarge"), UploadTooLarge),
        (answer(400, "InvalidArgument"), StorageError),
        (boto.EndpointConnectionError(endpoint_url=URL), StorageUnavailable),
        (boto.ConnectTimeoutError(endpoint_url=URL), StorageUnavailable),
        (boto.ReadTimeoutError(endpoint_url=URL), StorageUnavailable),
        (boto.ConnectionClosedError(endpoint_url=URL), StorageUnavailable),
        (boto.SSLError(endpoint_url=URL, error=URL), StorageUnavailable),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), StorageUnavailable),
        (ResponseParserError(URL), StorageUnavailable),
        (boto.NoCredentialsError(), StorageRejected),
        (boto.ProfileNotFound(profile="p"), StorageRejected),
        (boto.UnknownServiceError(service_name="s", known_service_names=[]), StorageError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:60],
)
def test_each_answer_means_one_thing_to_do_and_shows_no_url(
    error: boto.BotoCoreError | boto.ClientError, kind: type[StorageError]
) -> None:
    translated = translate(error)
    assert type(translated) is kind
    assert "canary" not in translated.message
    assert translated.message.endswith(".")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Access Denied", " It says: Access Denied."),
        ("with an  explicit\n deny.", " It says: with an explicit deny."),
        (
            "User: arn:aws:sts::123456789012:assumed-role/x/i-0 is not authorized",
            " It says: User: … is not authorized.",
        ),
        ("The key AKIAIOSFODNN7EXAMPLE is gone", " It says: The key … is gone."),
        (f"got {'0a' * 32} for it", " It says: got … for it."),
        ("word " * 100, f" It says: {'word ' * 60}…."),
        ("", ""),
    ],
)
def test_the_stores_sentence_is_passed_on_in_one_line_without_names_and_keys(
    sentence: str, said: str
) -> None:
    error = answer(403, "AccessDenied")
    error.response["Error"]["Message"] = sentence
    assert translate(error).message == (
        f"The object store refuses our credentials, region or rights (AccessDenied).{said}"
    )


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", timedelta(seconds=7)), ("soon", None), ("", None), ("-1", None), ("9" * 30, None)],
)
def test_retry_after_is_passed_on_if_it_is_a_number_of_seconds(
    header: str, wait: timedelta | None
) -> None:
    error = translate(answer(503, "SlowDown", **{"retry-after": header}))
    assert isinstance(error, StorageUnavailable)
    assert error.retry_after == wait


def test_a_bare_403_with_a_date_far_away_is_about_the_clock() -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    assert "clocks" in translate(answer(403, "403", date=date)).message
    assert "clocks" not in translate(answer(403, "403", date="garbage")).message


def test_an_error_without_a_message_explains_itself() -> None:
    assert StorageUnavailable().message.startswith("The object store cannot be reached")
    assert UploadTooLarge.code == "upload_too_large"
