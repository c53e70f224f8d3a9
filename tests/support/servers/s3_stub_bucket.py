"""The rules of a bucket that `s3_stub` serves: multipart uploads, HEAD, DELETE."""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4
from xml.etree import ElementTree

ACCESS_KEY = "stub-access-key"
MIN_PART = 5 << 20
_NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Refused(Exception):
    """A rule of S3 is broken."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Request:
    operation: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    data: bytes
    etag: str
    crc32: str


class StrictBucket:
    """Checks what a store may check: sums, sizes, order, tags, and the promised total.

    An upload is forgotten once complete, so a second Complete is refused. (MinIO's way;
    AWS says 200 again for a while.)
    """

    def __init__(self) -> None:
        #: Stores from before 2022 do not; they compare an MD5, if they get one.
        self.knows_crc32 = True
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self._lock = threading.Lock()

    def perform(self, request: Request, body: bytes) -> Answer:
        expected = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/"
        if not request.headers.get("authorization", "").startswith(expected):
            raise Refused(403, "InvalidAccessKeyId")
        with self._lock:
            return getattr(self, f"_{request.operation}")(request, body)

    def _CreateMultipartUpload(self, request: Request, _: bytes) -> Answer:
        upload_id = uuid4().hex
        self.uploads[upload_id] = {}
        name = "InitiateMultipartUploadResult"
        return Answer(200, f"<{name}><UploadId>{upload_id}</UploadId></{name}>".encode())

    def _UploadPart(self, request: Request, body: bytes) -> Answer:
        parts = self._parts(request)
        headers = {"ETag": f'"{_md5(body)}"'}
        if self.knows_crc32:
            headers["x-amz-checksum-crc32"] = _crc32(body)
            intact = request.headers.get("x-amz-checksum-crc32") == _crc32(body)
        else:
            sent = base64.b64decode(request.headers.get("content-md5", "")).hex()
            intact = sent in {"", _md5(body)}
        if not intact:
            raise Refused(400, "BadDigest")
        parts[int(request.query["partNumber"])] = body
        return Answer(200, headers=headers)

    def _PutObject(self, request: Request, body: bytes) -> Answer:
        crc32, headers = _crc32(body), {"ETag": f'"{_md5(body)}"'}
        if self.knows_crc32:
            headers["x-amz-checksum-crc32"] = crc32
            intact = request.headers.get("x-amz-checksum-crc32") == crc32
        else:
            sent = base64.b64decode(request.headers.get("content-md5", "")).hex()
            intact = sent in {"", _md5(body)}
        if not intact:
            raise Refused(400, "BadDigest")
        self.objects[request.key] = Stored(body, _md5(body), crc32)
        return Answer(200, headers=headers)

    def _CompleteMultipartUpload(self, request: Request, body: bytes) -> Answer:
        parts = self._parts(request)
        listed = ElementTree.fromstring(body).findall(f"{_NS}Part")  # noqa: S314 - our own XML
        tags = [[item.findtext(f"{_NS}{tag}") for tag in _TAGS] for item in listed]
        bodies = [parts[number] for number in sorted(parts)]
        sums = {n: _crc32(parts[n]) if self.knows_crc32 else None for n in parts}
        if tags != [[str(n), _md5(parts[n]), sums[n]] for n in sorted(parts)]:
            raise Refused(400, "InvalidPart")
        if any(len(part) < MIN_PART for part in bodies[:-1]):
            raise Refused(400, "EntityTooSmall")
        data = b"".join(bodies)
        if request.headers.get("x-amz-mp-object-size") != str(len(data)):
            raise Refused(400, "InvalidRequest")
        crc32 = _crc32(b"".join(base64.b64decode(_crc32(part)) for part in bodies))
        self.objects[request.key] = Stored(
            data, f"{uuid4().hex}-{len(bodies)}", f"{crc32}-{len(bodies)}"
        )
        del self.uploads[request.query["uploadId"]]
        return Answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def _AbortMultipartUpload(self, request: Request, _: bytes) -> Answer:
        self._parts(request)
        del self.uploads[request.query["uploadId"]]
        return Answer(204)

    def _HeadObject(self, request: Request, _: bytes) -> Answer:
        if request.key not in self.objects:
            raise Refused(404, "NoSuchKey")
        stored = self.objects[request.key]
        headers = {"Content-Length": str(len(stored.data)), "ETag": f'"{stored.etag}"'}
        if self.knows_crc32:
            headers["x-amz-checksum-crc32"] = stored.crc32
        return Answer(200, headers=headers)

    def _DeleteObject(self, request: Request, _: bytes) -> Answer:
        self.objects.pop(request.key, None)
        return Answer(204)

    def _HeadBucket(self, request: Request, _: bytes) -> Answer:
        return Answer(200)

    def _ListObjectsV2(self, request: Request, _: bytes) -> Answer:
        return Answer(200, b"<ListBucketResult></ListBucketResult>")

    def _parts(self, request: Request) -> dict[int, bytes]:
        try:
            return self.uploads[request.query["uploadId"]]
        except KeyError:
            raise Refused(404, "NoSuchUpload") from None


_TAGS = ("PartNumber", "ETag", "ChecksumCRC32")


def _crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
