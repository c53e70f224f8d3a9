"""Headers that not every S3 server takes, and Content-MD5, which every one knows, in their place.

Checksums in headers are younger than most servers. Some ignore them; others refuse each request
that has one, with 400 or 501 and a code of their own choice.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from waybill.storage.s3_errors import CHECKSUM, EXPIRED, error_code

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client

#: Names, or their beginnings, in lower case.
_OPTIONAL = ("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-mp-object-size")
#: Refusals with a 400 that are about what was sent, and not about its headers.
_OTHER_CAUSES = (
    CHECKSUM
    | EXPIRED
    | {
        "AuthorizationHeaderMalformed",
        "EntityTooLarge",
        "EntityTooSmall",
        "IncompleteBody",
        "InvalidBucketName",
        "InvalidPart",
        "InvalidPartOrder",
        "InvalidToken",
        "RequestTimeout",
    }
)


def may_refuse_headers(error: ClientError) -> bool:
    """Whether the same request without optional headers could be accepted."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in {400, 501} and error_code(error) not in _OTHER_CAUSES


def leave_out(client: S3Client) -> None:
    """Let `client` send no optional header, and Content-MD5 with each body that is bytes."""
    client.meta.events.register("before-sign.s3", _leave_out)


def md5_of(data: bytes) -> str:
    """MD5 as the Content-MD5 header wants it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _leave_out(request: AWSRequest, **_event: object) -> None:
    headers = request.headers
    for name in [name for name in headers if name.lower().startswith(_OPTIONAL)]:
        del headers[name]
    if isinstance(request.data, bytes) and request.data and "Content-MD5" not in headers:
        headers["Content-MD5"] = md5_of(request.data)
