"""A file that fits into one part, stored by one request instead of four.

PutObject is atomic: the object is there whole, or the one before it stays. The proof is that of a
multipart upload: the store checks the bytes by their CRC-32 or else their MD5, and a HEAD tells
what it holds.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from waybill.storage.errors import ChecksumMismatch, StorageError
from waybill.storage.objects import delete_object, head_object
from waybill.storage.optional_headers import md5_of
from waybill.storage.part_sender import send_until_intact
from waybill.storage.parts import crc32_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef, PutObjectRequestTypeDef

    from waybill.storage.connection import S3Connection
    from waybill.storage.store import StoredObject


class WholeObject:
    """The bytes of one object, and the request that stores them."""

    def __init__(self, connection: S3Connection, key: str, body: bytes, content_type: str) -> None:
        self._connection = connection
        self._key = key
        self._body = body
        self._content_type = content_type
        self._crc32 = crc32_of(body)

    @property
    def checksum(self) -> tuple[int, int]:
        """Length and CRC-32."""
        return len(self._body), int.from_bytes(base64.b64decode(self._crc32), "big")

    def store(self) -> StoredObject:
        """Store the object, and return it as the store describes it.

        Raises:
            ChecksumMismatch: the store has other bytes; they were deleted.
            StorageError: the object could not be stored.
        """
        try:
            send_until_intact(self._send)
        except StorageError:
            # The answer may be lost and the object there all the same. Only it can tell.
            stored = self._find()
            if stored is None:
                raise
            return stored
        return self._verify()

    def _send(self) -> None:
        answer, with_md5 = self._put(with_md5=False)
        if "ChecksumCRC32" not in answer and not with_md5:
            # The store knows no CRC-32 and has compared nothing. An MD5 it has to compare.
            answer, _ = self._put(with_md5=True)
        if answer.get("ChecksumCRC32") not in {None, self._crc32}:
            raise ChecksumMismatch

    def _put(self, *, with_md5: bool) -> tuple[PutObjectOutputTypeDef, bool]:
        """Send the object; the answer, and whether its MD5 went along."""

        def request(client: S3Client) -> tuple[PutObjectOutputTypeDef, bool]:
            config = self._connection.config
            whole: PutObjectRequestTypeDef = {
                "Bucket": config.bucket,
                "Key": self._key,
                "ContentType": self._content_type,
                # As of a part: see `multipart`.
                "Body": io.BytesIO(self._body),
                "ChecksumCRC32": self._crc32,
            }
            if config.encryption is not None:
                whole["ServerSideEncryption"] = config.encryption
            if config.kms_key_id is not None:
                whole["SSEKMSKeyId"] = config.kms_key_id
            sends_md5 = with_md5 or self._connection.is_plain(client)
            if sends_md5:
                whole["ContentMD5"] = md5_of(self._body)
            return client.put_object(**whole), sends_md5

        return self._connection.call(request)

    def _find(self) -> StoredObject | None:
        """The object, if it is this one beyond doubt."""
        try:
            stored = head_object(self._connection, self._key)
        except StorageError:
            return None
        if stored is None or stored.size_bytes != len(self._body):
            return None
        if stored.whole_crc32 is not None:
            return stored if stored.whole_crc32 == self._crc32 else None
        return stored if stored.etag == base64.b64decode(md5_of(self._body)).hex() else None

    def _verify(self) -> StoredObject:
        """The object just stored. What is not as sent is removed, for it is visible."""
        try:
            stored = head_object(self._connection, self._key)
            if stored is None or stored.size_bytes != len(self._body):
                raise ChecksumMismatch("The store does not hold as many bytes as were sent.")
            if stored.whole_crc32 not in {None, self._crc32}:
                raise ChecksumMismatch
        except BaseException:
            delete_object(self._connection, self._key)
            raise
        return stored
