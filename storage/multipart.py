"""A multipart upload to S3: equal parts, a few of them under way at once, each verified.

The object appears on the clean exit of the context manager and on no other path. Every
part is checked by the store, by its CRC-32 or else its MD5, and the whole by a HEAD, so an
upload that ends well holds exactly the bytes that were written; anything else aborts it.
"""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from waybill.storage.connection import S3Connection
from waybill.storage.errors import ChecksumMismatch, StorageError, UploadConflict, UploadTooLarge
from waybill.storage.objects import abort_upload, delete_object, head_object
from waybill.storage.optional_headers import md5_of
from waybill.storage.part_sender import PartSender
from waybill.storage.parts import (
    MAX_PARTS,
    Part,
    composite_crc32,
    composite_etag,
    crc32_of,
)
from waybill.storage.store import StoredObject
from waybill.storage.upload import PartUpload
from waybill.storage.whole_object import WholeObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        CreateMultipartUploadRequestTypeDef,
        UploadPartOutputTypeDef,
        UploadPartRequestTypeDef,
    )

logger = logging.getLogger(__name__)


class MultipartRequests:
    """The requests of one multipart upload. Any process may send parts of it, by its id."""

    def __init__(self, connection: S3Connection, key: str, *, is_shared: bool = False) -> None:
        """What `is_shared` may belong to another process by now: only wrong bytes are deleted."""
        self._connection = connection
        self._key = key
        self._is_shared = is_shared
        self._sends_md5 = False

    def create(self, content_type: str) -> str:
        """Begin an upload; returns its id."""
        config = self._connection.config
        request: CreateMultipartUploadRequestTypeDef = {
            "Bucket": config.bucket,
            "Key": self._key,
            "ContentType": content_type,
            "ChecksumAlgorithm": "CRC32",
        }
        if config.encryption is not None:
            request["ServerSideEncryption"] = config.encryption
        if config.kms_key_id is not None:
            request["SSEKMSKeyId"] = config.kms_key_id
        answer = self._connection.call(lambda client: client.create_multipart_upload(**request))
        return answer["UploadId"]

    def send(self, upload_id: str, number: int, body: bytes) -> Part:
        """Send a part, which the store compares with its CRC-32 or its MD5.

        Raises:
            ChecksumMismatch: the store has other bytes.
        """
        crc32 = crc32_of(body)
        answer, with_md5 = self._upload_part(upload_id, number, body, crc32)
        if "ChecksumCRC32" not in answer and not with_md5:
            # The store knows no CRC-32 and has compared nothing. An MD5 it has to compare.
            self._sends_md5 = True
            answer, _ = self._upload_part(upload_id, number, body, crc32)
        confirmed = answer.get("ChecksumCRC32")
        if confirmed not in {None, crc32}:
            raise ChecksumMismatch
        return Part(number, len(body), answer["ETag"].strip('"'), crc32, confirmed is not None)

    def complete(self, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        """Make the object of `parts`, and compare it with them.

        Raises:
            ChecksumMismatch: the object is not what was sent, and was deleted.
        """
        try:
            self._request_completion(upload_id, parts)
        except StorageError:
            # The answer may be lost and the object complete all the same; a second request
            # then finds no upload. Only the object itself can tell.
            stored = None
            with suppress(StorageError):
                stored = self.find_completed(parts)
            if stored is None:
                raise
            return stored
        return self._verify(parts)

    def find_completed(self, parts: Sequence[Part]) -> StoredObject | None:
        """The object, if it is the one this upload was to make beyond doubt."""
        stored = head_object(self._connection, self._key)
        if stored is None or stored.size_bytes != _size_of(parts):
            return None
        if stored.crc32 is not None:
            return stored if stored.crc32 == composite_crc32(parts) else None
        return stored if stored.etag == composite_etag(parts) else None

    def abort(self, upload_id: str) -> None:
        """End the upload without an object, and without hiding the error that led here."""
        self._attempt(
            f"abort upload {upload_id} of {self._key}",
            lambda: abort_upload(self._connection, self._key, upload_id),
        )

    def _upload_part(
        self, upload_id: str, number: int, body: bytes, crc32: str
    ) -> tuple[UploadPartOutputTypeDef, bool]:
        """Send a part; the answer, and whether its MD5 went along."""

        def request(client: S3Client) -> tuple[UploadPartOutputTypeDef, bool]:
            part: UploadPartRequestTypeDef = {
                "Bucket": self._connection.bucket,
                "Key": self._key,
                "UploadId": upload_id,
                "PartNumber": number,
                # A file is sent in small pieces, each with its own timeout; plain bytes
                # would all have to leave within one.
                "Body": io.BytesIO(body),
                # Left to botocore, it would come after the body in an aws-chunked frame,
                # which MinIO's older code and Swift refuse.
                "ChecksumCRC32": crc32,
            }
            with_md5 = self._sends_md5 or self._connection.is_plain(client)
            if with_md5:
                part["ContentMD5"] = md5_of(body)
            return client.upload_part(**part), with_md5

        return self._connection.call(request)

    def _request_completion(self, upload_id: str, parts: Sequence[Part]) -> None:
        self._connection.call(
            lambda client: client.complete_multipart_upload(
                Bucket=self._connection.bucket,
                Key=self._key,
                UploadId=upload_id,
                MultipartUpload={"Parts": [_completed(part) for part in parts]},
                MpuObjectSize=_size_of(parts),
            )
        )

    def _verify(self, parts: Sequence[Part]) -> StoredObject:
        """The object just completed. What is not as sent is removed, for it is visible."""
        try:
            stored = head_object(self._connection, self._key)
            if stored is None or stored.size_bytes != _size_of(parts):
                raise ChecksumMismatch("The store does not hold as many bytes as were sent.")
            # Not every store keeps checksums, and ETags take too many forms to prove a fault.
            if stored.crc32 not in {None, composite_crc32(parts)}:
                raise ChecksumMismatch
        except BaseException as error:
            if isinstance(error, ChecksumMismatch) or not self._is_shared:
                self._attempt(
                    f"delete {self._key}", lambda: delete_object(self._connection, self._key)
                )
            raise
        return stored

    def _attempt(self, what: str, request: Callable[[], None]) -> None:
        """Clean up without hiding the error that made it necessary."""
        try:
            request()
        except UploadConflict:
            return
        except StorageError as error:
            logger.warning("Could not %s: %s", what, error.message)


class MultipartUpload(PartUpload):
    """See `store.Upload`. It holds up to `part_bytes` × (`in_flight` + 1) in memory."""

    def __init__(
        self,
        connection: S3Connection,
        key: str,
        *,
        content_type: str,
        part_bytes: int,
        in_flight: int = 2,
        max_parts: int = MAX_PARTS,
        in_one: bool = False,
    ) -> None:
        """With `in_one` nothing is sent before there is more than one part.

        A file that ends before that is stored by one request, see `whole_object`.
        """
        super().__init__(key, part_bytes)
        self._in_one = in_one
        self._connection = connection
        self._content_type = content_type
        self._max_parts = max_parts
        self._requests = MultipartRequests(connection, key)
        self._sender = PartSender(
            lambda number, body: self._requests.send(self.upload_id, number, body), in_flight
        )
        self._bytes_in_one = 0

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""
        return self._sender.bytes_confirmed + self._bytes_in_one

    def _begin(self) -> None:
        if not self._in_one:
            super()._begin()

    def _publish(self) -> None:
        if not self._in_one:
            super()._publish()
            return
        body = b"".join(self._cutter.take())
        whole = WholeObject(self._connection, self.key, body, self._content_type)
        self._check_expected(*whole.checksum)
        self._stored = whole.store()
        self._bytes_in_one = len(body)

    def _open(self) -> str:
        return self._requests.create(self._content_type)

    def _send_part(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._parts_sent == self._max_parts:
            raise UploadTooLarge(
                f"The file needs more than {self._max_parts:,} parts, and an object has no more."
            )
        if self._in_one:
            self._in_one = False
            self._begin()
        self._sender.submit(pieces)

    def _confirmed_parts(self) -> list[Part]:
        return self._sender.finish()

    def _complete(self, parts: Sequence[Part]) -> StoredObject:
        return self._requests.complete(self.upload_id, parts)

    def _discard(self) -> None:
        self._sender.stop()
        if self._upload_id is not None:
            self._requests.abort(self._upload_id)


def _size_of(parts: Sequence[Part]) -> int:
    return sum(part.size_bytes for part in parts)


def _completed(part: Part) -> CompletedPartTypeDef:
    """The part's entry in the completion request."""
    entry: CompletedPartTypeDef = {"PartNumber": part.number, "ETag": part.etag}
    # AWS insists on the checksums it confirmed; a store that ignored them may refuse the tag.
    if part.crc32_confirmed:
        entry["ChecksumCRC32"] = part.crc32
    return entry
