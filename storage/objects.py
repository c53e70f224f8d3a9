"""Single objects in an S3 bucket: asked for and deleted; and uploads that are given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from waybill.storage.connection import S3Connection
from waybill.storage.errors import StorageRejected
from waybill.storage.s3_errors import NOT_FOUND, error_code, storage_errors
from waybill.storage.store import ListedObject, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        DeleteObjectOutputTypeDef,
        DeleteObjectRequestTypeDef,
        HeadObjectOutputTypeDef,
    )

#: What is read at a time.
_PIECE_BYTES = 1024 * 1024


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
        whole_crc32=crc32 if crc32 and "-" not in crc32 else None,
    )


def read_object(connection: S3Connection, key: str) -> Iterator[bytes]:
    """The bytes of the object, in pieces."""
    body = connection.call(
        lambda client: client.get_object(Bucket=connection.bucket, Key=key)["Body"]
    )
    with closing(body), storage_errors():
        yield from body.iter_chunks(_PIECE_BYTES)


def list_objects(
    connection: S3Connection, prefix: str, after: str, limit: int
) -> list[ListedObject]:
    """One page of a listing: objects with `prefix` behind the key `after`."""
    page = connection.call(
        lambda client: client.list_objects_v2(
            Bucket=connection.bucket, Prefix=prefix, StartAfter=after, MaxKeys=limit
        )
    )
    return [
        ListedObject(item["Key"], item["Size"], item["LastModified"])
        for item in page.get("Contents", [])
    ]


def delete_object(connection: S3Connection, key: str) -> None:
    """Remove the object, if there is one, with every version of it that the bucket keeps.

    Raises:
        StorageRejected: it may not be deleted, or some version of it may not.
    """
    if not connection.keeps_versions:
        answer = _delete(connection, key)
        # Where versions are kept, that has put a marker in front of the bytes.
        if "VersionId" not in answer and "DeleteMarker" not in answer:
            return
        connection.keeps_versions = True
    try:
        for version_id in _versions(connection, key):
            _delete(connection, key, version_id)
    except StorageRejected as error:
        # A marker hides the object at least. Another one at each try would help nobody.
        if head_object(connection, key) is not None:
            _delete(connection, key)
        raise StorageRejected(
            f"The bucket keeps versions, and ours may not be deleted. {error.message}"
        ) from error


def _delete(
    connection: S3Connection, key: str, version_id: str | None = None
) -> DeleteObjectOutputTypeDef:
    request: DeleteObjectRequestTypeDef = {"Bucket": connection.bucket, "Key": key}
    if version_id is not None:
        request["VersionId"] = version_id
    return connection.call(lambda client: client.delete_object(**request))


def _versions(connection: S3Connection, key: str) -> list[str]:
    """The ids of all versions of the object, and then of the markers that hide them.

    In this order an object whose deletion stops half-way does not appear again.
    """

    def request(client: S3Client) -> list[str]:
        versions: list[str] = []
        markers: list[str] = []
        pages = client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=connection.bucket, Prefix=key):
            for item in page.get("Versions", []):
                versions += [item["VersionId"]] if item["Key"] == key else []
            for marker in page.get("DeleteMarkers", []):
                markers += [marker["VersionId"]] if marker["Key"] == key else []
        return versions + markers

    return connection.call(request)


def abort_upload(connection: S3Connection, key: str, upload_id: str) -> None:
    """Abort an open upload; its parts are deleted.

    Raises:
        UploadConflict: there is none.
    """
    connection.call(
        lambda client: client.abort_multipart_upload(
            Bucket=connection.bucket, Key=key, UploadId=upload_id
        )
    )
