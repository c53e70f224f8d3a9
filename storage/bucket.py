"""The bucket itself: reaching it, creating it, and the region it is in."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from waybill.storage.config import DEFAULT_REGION
from waybill.storage.connection import S3Connection
from waybill.storage.errors import StorageError, StorageUnavailable
from waybill.storage.s3_errors import NOT_FOUND, error_code, headers_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadBucketOutputTypeDef

_NO_SUCH_BUCKET = NOT_FOUND | {"NoSuchBucket"}


def reach_bucket(connection: S3Connection) -> HeadBucketOutputTypeDef:
    """Ask the store for the bucket, and note in which region it is.

    Raises:
        StorageError: with the reason that the store gives.
    """
    try:
        return connection.call(lambda client: _head(client, connection))
    except StorageUnavailable:
        raise
    except StorageError as refusal:
        # The refusal of a HEAD has no body; that of a GET gives the reason and the region.
        try:
            connection.call(
                lambda client: client.list_objects_v2(Bucket=connection.bucket, MaxKeys=1)
            )
        except StorageUnavailable:
            raise refusal from None
        return connection.call(lambda client: _head(client, connection))


def region_for_links(connection: S3Connection) -> str:
    """The region that links are signed for; the store is asked once unless it is configured.

    Raises:
        StorageError: AWS does not answer. Other stores have the default region then.
    """
    config = connection.config
    if config.region is not None:
        return config.region
    if connection.bucket_region is None:
        try:
            reach_bucket(connection)
        except StorageError:
            # A store that refuses us may have named the region all the same.
            if connection.bucket_region is None and config.endpoint_url is None:
                raise
    return connection.bucket_region or DEFAULT_REGION


def create_if_missing(connection: S3Connection) -> None:
    """Create the bucket unless it is there.

    Raises:
        StorageError: it cannot be reached, or not be created.
    """
    if not _exists(connection):
        connection.call(lambda client: _create(client, connection))


def _exists(connection: S3Connection) -> bool:
    def request(client: S3Client) -> bool:
        try:
            _head(client, connection)
        except ClientError as error:
            if error_code(error) in _NO_SUCH_BUCKET:
                return False
            raise
        return True

    try:
        return connection.call(request)
    except StorageUnavailable:
        raise
    except StorageError:
        reach_bucket(connection)
        return True


def _create(client: S3Client, connection: S3Connection) -> None:
    region = client.meta.region_name
    # Another process may be faster.
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        if region == DEFAULT_REGION:
            client.create_bucket(Bucket=connection.bucket)
        else:
            client.create_bucket(
                Bucket=connection.bucket,
                CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]  # any region
            )


def _head(client: S3Client, connection: S3Connection) -> HeadBucketOutputTypeDef:
    try:
        answer = client.head_bucket(Bucket=connection.bucket)
    except ClientError as error:
        named = headers_of(error.response).get("x-amz-bucket-region")
        connection.bucket_region = named or connection.bucket_region
        raise
    # A store that does not name its region has accepted the one of the signature.
    connection.bucket_region = answer.get("BucketRegion") or connection.signed_region
    return answer
