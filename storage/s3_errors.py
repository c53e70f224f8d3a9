"""Translation of botocore's errors to `StorageError`s."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from waybill.storage import tls_errors
from waybill.storage.errors import (
    ChecksumMismatch,
    ClockRejected,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
    UploadTooLarge,
)

#: The credentials were good once. A fresh set, or the next attempt, will do.
EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
)
#: What a store answers when the object, not the bucket, is missing. HEAD has no body, so
#: botocore puts the bare status in place of the code.
NOT_FOUND = frozenset({"NoSuchKey", "NotFound", "404"})

#: S3 refuses requests whose clock is off by more. (AWS, "RequestTimeTooSkewed".)
_MAX_SKEW = timedelta(minutes=15)

#: The bytes that arrived are not those that were announced.
CHECKSUM = frozenset(
    {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
)
_BUSY = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
)
_GONE = frozenset({"NoSuchUpload", "PreconditionFailed", "ConditionalRequestConflict"})
_SETTINGS = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "IllegalLocationConstraintException",
    }
)
#: With those a HEAD gets: of an object that is missing, `waybill.storage.objects` makes None.
_NO_BUCKET = frozenset(
    {"NoSuchBucket", "InvalidBucketName", "BucketAlreadyExists", "NotFound", "404"}
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.NoRegionError,
    boto.InvalidRegionError,
    boto.ParamValidationError,
)
_NO_ANSWER = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.CredentialRetrievalError,
)

#: What a store answers that serves no bucket by its path. (Alibaba Cloud, Tencent Cloud and
#: Volcengine, in their lists of error codes.)
BUCKET_IN_HOST = frozenset(
    {"SecondLevelDomainForbidden", "PathStyleDomainForbidden", "InvalidPathAccess"}
)
#: In a store's sentence: addresses, the names of our principal, keys and signatures.
_PRIVATE = re.compile(
    r"\w+://\S+|arn:[\w-]*:(?:iam|sts):\S+|\b(?:AKIA|ASIA)\w+|[\w+/=-]{40,}|\d{12}"
)
#: Longest sentence of a store that is passed on, in characters.
_MAX_SENTENCE = 300
#: How botocore's RefreshableCredentials words it. (botocore/credentials.py, 1.44.)
_STILL_EXPIRED = "Credentials were refreshed"


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn any botocore error raised inside into a `StorageError`, with it as the cause."""
    try:
        yield
    except (boto.BotoCoreError, boto.ClientError, ResponseParserError) as error:
        raise translate(error) from error
    except RuntimeError as error:
        # botocore has no class of its own for credentials that expire while it fetches them.
        if not str(error).startswith(_STILL_EXPIRED):
            raise
        raise StorageUnavailable("The object store's credentials have expired.") from error


def translate(
    error: boto.BotoCoreError | boto.ClientError | ResponseParserError,
) -> StorageError:
    """The `StorageError` that says what to do about `error`, without its URL or headers."""
    if isinstance(error, boto.ClientError):
        return _translate_answer(error)
    if isinstance(error, _NO_CREDENTIALS):
        return StorageRejected("The object store's credentials, region or bucket are not set up.")
    if isinstance(error, boto.SSLError):
        return tls_errors.explain(error)
    if isinstance(error, ResponseParserError):
        return StorageUnavailable(
            "What answers at the object store's address does not speak S3; trying again later may "
            "work."
        )
    if isinstance(error, _NO_ANSWER):
        return StorageUnavailable()
    return StorageError(f"The object store could not be used ({type(error).__name__}).")


def error_code(error: boto.ClientError) -> str:
    """S3's code of the error; of an answer without a body, its HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def clock_skew(response: Mapping[str, Any]) -> timedelta | None:
    """How far the store's clock is ahead of ours, by the Date header of its answer."""
    date = headers_of(response).get("date")
    try:
        return parsedate_to_datetime(date) - datetime.now(UTC) if date else None
    except (ValueError, TypeError):
        return None


def _translate_answer(error: boto.ClientError) -> StorageError:
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in EXPIRED:
        return StorageUnavailable("The object store's credentials have expired.")
    if code in CHECKSUM:
        return ChecksumMismatch()
    if code in _GONE:
        return UploadConflict()
    if code == "EntityTooLarge":
        return UploadTooLarge()
    if code == "NotImplemented":
        # A 501, which asking again does not change.
        return StorageRejected(f"The object store does not know this operation.{_said(error)}")
    if code in _BUSY or status >= 500 or status in {408, 429}:
        return StorageUnavailable(retry_after=_retry_after(error.response))
    if code in _SETTINGS | _NO_BUCKET | BUCKET_IN_HOST or status in {301, 307, 401, 403}:
        return _refusal(error, code)
    return StorageError(
        f"The object store did not accept the request ({code or status}).{_said(error)}"
    )


def _refusal(error: boto.ClientError, code: str) -> StorageRejected:
    skew = clock_skew(error.response)
    if code == "RequestTimeTooSkewed" or (skew is not None and abs(skew) > _MAX_SKEW):
        return ClockRejected()
    if code in _NO_BUCKET:
        return StorageRejected(f"The bucket does not exist or is not ours ({code}).")
    if code in BUCKET_IN_HOST:
        return StorageRejected(
            f"The object store wants the bucket in its host name ({code}); set "
            "WAYBILL_S3_ADDRESSING=virtual."
        )
    return StorageRejected(
        f"The object store refuses our credentials, region or rights ({code}).{_said(error)}"
    )


def _said(error: boto.ClientError) -> str:
    """The store's own sentence, or nothing."""
    text = str(error.response.get("Error", {}).get("Message", ""))
    # An answer without a body has the name of its HTTP status there, as the code has its number.
    return f" It says: {shown(text)}." if text and not error_code(error).isdecimal() else ""


def shown(sentence: str) -> str:
    """A sentence of a store's, in one line and without what is nobody's business."""
    text = _PRIVATE.sub("…", " ".join(sentence.split()))
    text = text if len(text) <= _MAX_SENTENCE else text[:_MAX_SENTENCE] + "…"
    return text.rstrip(".")


def _retry_after(response: Mapping[str, Any]) -> timedelta | None:
    seconds = headers_of(response).get("retry-after", "")
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 6 else None


def headers_of(response: Mapping[str, Any]) -> Mapping[str, str]:
    """The headers of an answer of botocore's, their names in lower case."""
    headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
