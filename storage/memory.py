"""The object store in memory: for tests, and as the simplest implementation of the protocol.

It passes the conformance suite of the real one, and nothing outlives the process.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import uuid4

from waybill.storage.config import MAX_LINK_TTL
from waybill.storage.disposition import content_disposition
from waybill.storage.errors import ChecksumMismatch, StorageError, UploadConflict
from waybill.storage.part_run import PartRun
from waybill.storage.parts import (
    Part,
    check_part_bytes,
    composite_crc32,
    composite_etag,
    crc32_of,
    plan_part_bytes,
)
from waybill.storage.presign import bounded_ttl
from waybill.storage.store import (
    LinkMethod,
    ListedObject,
    OpenUpload,
    Owner,
    SignedLink,
    StoredObject,
)
from waybill.storage.upload import PartUpload


@dataclass(frozen=True, slots=True)
class _Object:
    stored: StoredObject
    data: bytes
    content_type: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class _Pending:
    upload: OpenUpload
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)


class MemoryStore:
    """See `waybill.storage.store.ObjectStore`. `read` and `stored_keys` are for tests."""

    def __init__(self, *, equal_parts: bool = False) -> None:
        self._equal_parts = equal_parts
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._pending: dict[str, _Pending] = {}

    def read(self, key: str) -> bytes:
        """The bytes of an object.

        Raises:
            KeyError: there is no such object.
        """
        with self._lock:
            return self._objects[key].data

    def stored_keys(self) -> list[str]:
        """The key of every object, in order."""
        with self._lock:
            return sorted(self._objects, key=str.encode)

    def ensure_bucket(self) -> None:
        """There is always a bucket."""

    def ensure_rules(self, owner: Owner, retention_days: int) -> tuple[str, ...]:
        """Memory is as short as any retention."""
        return ()

    def expiry_rule(self, prefix: str) -> str | None:
        """There are no rules."""
        return None

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

    @property
    def takes_unequal_parts(self) -> bool:
        """Whether parts may differ in size."""
        return not self._equal_parts

    def begin_shared(self, key: str, content_type: str) -> str:
        """Begin an object whose parts several processes send."""
        return self._begin(key, content_type)

    def part_run(
        self,
        key: str,
        upload_id: str,
        *,
        first: int,
        most: int,
        part_bytes: int,
        is_last: bool = False,
        before: Sequence[Part] = (),
    ) -> PartRun:
        """What this process writes of it."""

        def send(number: int, body: bytes) -> Part:
            return self._receive(upload_id, number, body, crc32_of(body))

        return PartRun(
            send, first=first, most=most, part_bytes=part_bytes, is_last=is_last, before=before
        )

    def complete_shared(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        """Make the object of `parts`."""
        return self._complete(upload_id, parts)

    def find_completed(self, key: str, parts: Sequence[Part]) -> StoredObject | None:
        """The object, if it is what `parts` make."""
        found = self.head(key)
        return found if found and found.crc32 == composite_crc32(parts) else None

    def head(self, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        with self._lock:
            found = self._objects.get(key)
        return found.stored if found else None

    def find(self, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        return self.head(key)

    def pieces(self, key: str) -> Iterator[bytes]:
        """The bytes of the object, in one piece."""
        try:
            yield self.read(key)
        except KeyError as error:
            raise StorageError("There is no such object.") from error

    def list_objects(
        self, prefix: str, *, after: str = "", limit: int = 1000
    ) -> list[ListedObject]:
        """Objects behind `after` whose keys begin with `prefix`."""
        with self._lock:
            keys = [key for key in self._objects if key.startswith(prefix) and key > after]
            return [
                ListedObject(key, item.stored.size_bytes, item.stored_at)
                for key in sorted(keys, key=str.encode)[:limit]
                for item in (self._objects[key],)
            ]

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        with self._lock:
            self._objects.pop(key, None)

    def abort_uploads(self, key: str) -> int:
        """Abort every open upload of exactly that key."""
        with self._lock:
            ids = [name for name, item in self._pending.items() if item.upload.key == key]
            for upload_id in ids:
                del self._pending[upload_id]
        return len(ids)

    def list_uploads(self, prefix: str = "") -> Iterator[OpenUpload]:
        """Every open upload whose key begins with `prefix`."""
        with self._lock:
            uploads = [item.upload for item in self._pending.values()]
        yield from (item for item in uploads if item.key.startswith(prefix))

    def presign(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        ttl: timedelta,
        method: LinkMethod = "GET",
    ) -> SignedLink:
        """A ``memory:`` link that leads nowhere, with the bounds and the end of a real one."""
        lifetime = bounded_ttl(ttl, MAX_LINK_TTL)
        query = {
            "method": method,
            "expires": int(lifetime.total_seconds()),
            "response-content-disposition": content_disposition(filename, key),
            "response-content-type": content_type,
        }
        url = f"memory:///{quote(key)}?{urlencode(query)}"
        return SignedLink(url, datetime.now(UTC) + lifetime)

    def check(self) -> timedelta:
        """This process's clock agrees with itself."""
        return timedelta(0)

    def close(self) -> None:
        """Nothing is open."""

    def _begin(self, key: str, content_type: str) -> str:
        upload = OpenUpload(key, uuid4().hex, datetime.now(UTC))
        with self._lock:
            self._pending[upload.upload_id] = _Pending(upload, content_type)
        return upload.upload_id

    def _receive(self, upload_id: str, number: int, data: bytes, crc32: str) -> Part:
        """Keep a part if it arrived as it was sent, and confirm it."""
        if crc32_of(data) != crc32:
            raise ChecksumMismatch
        with self._lock:
            self._require(upload_id).parts[number] = data
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return Part(number, len(data), md5, crc32, True)

    def _complete(self, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        with self._lock:
            pending = self._require(upload_id)
            bodies = [pending.parts.get(part.number, b"") for part in parts]
            if [crc32_of(body) for body in bodies] != [part.crc32 for part in parts]:
                raise ChecksumMismatch
            data = b"".join(bodies)
            etag, crc32 = composite_etag(parts) or "", composite_crc32(parts)
            stored = StoredObject(pending.upload.key, len(data), etag, crc32)
            self._objects[stored.key] = _Object(
                stored, data, pending.content_type, datetime.now(UTC)
            )
            del self._pending[upload_id]
        return stored

    def _forget(self, upload_id: str) -> None:
        with self._lock:
            self._pending.pop(upload_id, None)

    def _require(self, upload_id: str) -> _Pending:
        try:
            return self._pending[upload_id]
        except KeyError:
            raise UploadConflict from None


class MemoryUpload(PartUpload):
    """See `waybill.storage.store.Upload`."""

    def __init__(self, store: MemoryStore, key: str, content_type: str, part_bytes: int) -> None:
        super().__init__(key, part_bytes)
        self._store = store
        self._content_type = content_type
        self._parts: list[Part] = []

    @property
    def bytes_uploaded(self) -> int:
        """Bytes of all parts so far."""
        return sum(part.size_bytes for part in self._parts)

    def _open(self) -> str:
        return self._store._begin(self.key, self._content_type)

    def _send_part(self, pieces: Sequence[bytes | memoryview]) -> None:
        data = b"".join(pieces)
        number = len(self._parts) + 1
        self._parts.append(self._store._receive(self.upload_id, number, data, crc32_of(data)))

    def _confirmed_parts(self) -> list[Part]:
        return self._parts

    def _complete(self, parts: Sequence[Part]) -> StoredObject:
        return self._store._complete(self.upload_id, parts)

    def _discard(self) -> None:
        self._store._forget(self.upload_id)
