"""HEAD and DELETE of single objects in an S3 bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from waybill.storage.connection import S3Connection
from waybill.storage.s3_errors import NOT_FOUND, error_code
from waybill.storage.store import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef


def head_object(connection: S3Connection, key: str) -> StoredObject | None:
    """What the store says of the object, or None if there is none."""

    def request(client: S3Client) -> HeadObjectOutputTypeDef | None:
        try:
            return client.head_object(Bucket=connection.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) in NOT_FOUND:
                return None
            raise

    answer = connection.call(request)
    if answer is None:
        return None
    crc32 = answer.get("ChecksumCRC32", "")
    return StoredObject(
        key=key,
        size_bytes=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        crc32=crc32 if "-" in crc32 else None,
    )


def delete_object(connection: S3Connection, key: str) -> None:
    """Remove the object, if there is one."""
    connection.call(lambda client: client.delete_object(Bucket=connection.bucket, Key=key))
