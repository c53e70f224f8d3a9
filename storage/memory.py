"""The object store as a dictionary: for tests, and as the plainest reading of the contract.

It passes the conformance suite of the real one, and nothing survives the process.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode
from uuid import uuid4

from storage.config import MAX_LINK_TTL
from storage.disposition import content_disposition
from storage.errors import UploadConflict
from storage.parts import (
    Part,
    PartCutter,
    check_part_bytes,
    composite_crc32,
    composite_etag,
    crc32_of,
    plan_part_bytes,
)
from storage.presign import bounded_ttl
from storage.store import OpenUpload, SignedLink, StoredObject


@dataclass(frozen=True, slots=True)
class _Object:
    stored: StoredObject
    data: bytes
    content_type: str


class MemoryStore:
    """See `storage.store.ObjectStore`. `read` stands in for following a link."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._uploads: dict[str, OpenUpload] = {}

    def read(self, key: str) -> bytes:
        """The bytes of an object.

        Raises:
            KeyError: there is no such object.
        """
        with self._lock:
            return self._objects[key].data

    def ensure_bucket(self, retention_days: int) -> tuple[str, ...]:
        """There is always a bucket, and memory is as short as any retention."""
        return ()

    def open_upload(
        self,
        key: str,
        *,
        content_type: str,
        expected_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> MemoryUpload:
        """Begin writing an object."""
        size = plan_part_bytes(expected_bytes) if part_bytes is None else part_bytes
        return MemoryUpload(self, key, content_type, check_part_bytes(size))

    def head(self, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        with self._lock:
            found = self._objects.get(key)
        return found.stored if found else None

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        with self._lock:
            self._objects.pop(key, None)

    def abort_uploads(self, key: str) -> int:
        """Abort every open upload of exactly that key."""
        with self._lock:
            ids = [item.upload_id for item in self._uploads.values() if item.key == key]
            for upload_id in ids:
                del self._uploads[upload_id]
        return len(ids)

    def list_uploads(self, prefix: str = "") -> Iterator[OpenUpload]:
        """Every open upload whose key begins with `prefix`."""
        with self._lock:
            uploads = list(self._uploads.values())
        yield from (item for item in uploads if item.key.startswith(prefix))

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that begins with `prefix`, in order."""
        with self._lock:
            keys = sorted(self._objects, key=str.encode)
        yield from (key for key in keys if key.startswith(prefix))

    def presign(self, key: str, *, filename: str, content_type: str, ttl: timedelta) -> SignedLink:
        """A ``memory:`` link nobody can follow, with the bounds and the end of a real one."""
        lifetime = bounded_ttl(ttl, MAX_LINK_TTL)
        query = {
            "expires": int(lifetime.total_seconds()),
            "response-content-disposition": content_disposition(filename),
            "response-content-type": content_type,
        }
        url = f"memory:///{quote(key)}?{urlencode(query)}"
        return SignedLink(url, datetime.now(UTC) + lifetime)

    def check(self) -> timedelta:
        """This process's clock agrees with itself."""
        return timedelta(0)

    def close(self) -> None:
        """Nothing is open."""

    def _begin(self, key: str) -> OpenUpload:
        upload = OpenUpload(key, uuid4().hex, datetime.now(UTC))
        with self._lock:
            self._uploads[upload.upload_id] = upload
        return upload

    def _require(self, upload: OpenUpload) -> None:
        with self._lock:
            if upload.upload_id not in self._uploads:
                raise UploadConflict

    def _end(self, upload: OpenUpload, finished: _Object | None) -> None:
        with self._lock:
            was_open = self._uploads.pop(upload.upload_id, None)
            if finished is not None:
                if was_open is None:
                    raise UploadConflict
                self._objects[upload.key] = finished


class MemoryUpload:
    """See `storage.store.Upload`."""

    def __init__(self, store: MemoryStore, key: str, content_type: str, part_bytes: int) -> None:
        self.key = key
        self.bytes_uploaded = 0
        self._store = store
        self._content_type = content_type
        self._cutter = PartCutter(part_bytes)
        self._data: list[bytes] = []
        self._parts: list[Part] = []
        self._open: OpenUpload | None = None
        self._stored: StoredObject | None = None
        self._failure: BaseException | None = None

    @property
    def upload_id(self) -> str:
        """The store's name for this upload."""
        return self._begun().upload_id

    @property
    def stored(self) -> StoredObject:
        """The finished object."""
        if self._stored is None:
            raise RuntimeError("the upload is not complete")
        return self._stored

    def __enter__(self) -> Self:
        self._open = self._store._begin(self.key)
        return self

    def write(self, data: bytes) -> None:
        """Append `data`; see `storage.store.Upload.write`."""
        if self._failure is not None:
            raise self._failure
        try:
            for pieces in self._cutter.feed(data):
                self._send(pieces)
        except BaseException as error:
            self._failure = error
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._complete()
        finally:
            self._failure = RuntimeError("the upload has ended")
            self._store._end(self._begun(), None)

    def _complete(self) -> None:
        if self._failure is not None:
            raise self._failure
        rest = self._cutter.take()
        if rest or not self._parts:
            self._send(rest)
        etag = composite_etag(self._parts) or ""
        crc32 = composite_crc32(self._parts)
        stored = StoredObject(self.key, self.bytes_uploaded, etag, crc32)
        finished = _Object(stored, b"".join(self._data), self._content_type)
        self._store._end(self._begun(), finished)
        self._stored = stored

    def _send(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._store._require(self._begun())
        data = b"".join(pieces)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self._data.append(data)
        self._parts.append(Part(len(self._parts) + 1, len(data), md5, crc32_of(data), True))
        self.bytes_uploaded += len(data)

    def _begun(self) -> OpenUpload:
        if self._open is None:
            raise RuntimeError("the upload has not begun")
        return self._open
