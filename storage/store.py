"""The object store's interface: an S3 bucket implements it, and memory in a test.

Every implementation passes the conformance suite in ``tests/contract/test_object_store.py``.
All of it is blocking code, safe to call from any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from waybill.storage.part_run import PartRun
    from waybill.storage.parts import Part


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A finished object, as the store itself describes it."""

    key: str
    size_bytes: int
    #: Opaque. Of a multipart object it is not the MD5 of its bytes.
    etag: str
    #: Composite CRC-32 in S3's notation (``base64-parts``), where the store keeps one.
    crc32: str | None = None
    #: CRC-32 of all its bytes (base64), where the store keeps one. Not of a multipart object.
    whole_crc32: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """An installation, and what the keys of all its objects begin with."""

    installation: str
    prefix: str


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that was begun and neither completed nor aborted; its parts cost space."""

    key: str
    upload_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object in a listing, with the time at which it was stored by the store's clock."""

    key: str
    size_bytes: int
    modified_at: datetime


#: What a signed link is good for: the bytes, or size and name alone.
LinkMethod = Literal["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A link that downloads the object for anyone who has it, until `expires_at`. Never log it."""

    url: str = field(repr=False)
    expires_at: datetime


class Upload(Protocol):
    """An object being written, front to back, by one thread.

    It is the value of a context manager: on the *clean* exit of that the object becomes
    visible, whole and verified; on any exception it is aborted and nothing is left. Only a
    store that cannot be reached just then may keep parts, or an object cut off in the
    middle of completing: `ObjectStore.abort_uploads` and `ObjectStore.delete` clear it up.
    """

    @property
    def key(self) -> str:
        """The key the object will have."""
        ...

    @property
    def upload_id(self) -> str:
        """The store's name for this upload, known before the first part is sent.

        Raises:
            RuntimeError: it has not begun.
        """
        ...

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed. Readable from any thread at any time."""
        ...

    @property
    def stored(self) -> StoredObject:
        """The finished object, after the clean exit.

        Raises:
            RuntimeError: the upload is not complete.
        """
        ...

    def write(self, data: bytes) -> None:
        """Append `data`. Blocks while earlier parts are still on their way.

        Raises:
            StorageError: this or an earlier part could not be stored. The upload is lost,
                and leaving its context cleanly after that raises the same error again.
        """
        ...

    def expect(self, size_bytes: int, crc32: int) -> None:
        """State what the whole object has to be, by its length and its CRC-32.

        The clean exit compares that with the checksums of the parts the store confirmed, and
        raises `ChecksumMismatch` instead of completing anything else.
        """
        ...


class ObjectStore(Protocol):
    """One bucket. Each method raises a `StorageError` of the kind its cause calls for."""

    def ensure_bucket(self) -> None:
        """Create the bucket if it is missing."""
        ...

    def ensure_rules(self, owner: Owner, retention_days: int) -> tuple[str, ...]:
        """Let the bucket clean up what `owner` leaves under its prefix, and nothing else.

        Objects expire some time after `retention_days`, and uploads left open after two days.
        Rules of others are kept. Returned are the names of rules that could *not* be set,
        because the store has no lifecycle.
        """
        ...

    def expiry_rule(self, prefix: str) -> str | None:
        """The id of a rule of the bucket that deletes objects under `prefix` some day, or None."""
        ...

    def open_upload(
        self,
        key: str,
        *,
        content_type: str,
        expected_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> AbstractContextManager[Upload]:
        """Begin writing an object. `expected_bytes` is an estimate that sizes the parts.

        A store may send a file that is expected to fit into one part by a single request at the
        end; `Upload.upload_id` is not known then.

        Nothing but `part_bytes` × 3 is held in memory. An existing object of that key
        stays until the clean exit replaces it.

        Raises:
            ValueError: `part_bytes` is outside what S3 allows.
        """
        ...

    @property
    def takes_unequal_parts(self) -> bool:
        """Whether parts of one object may differ in size, which `part_run` needs."""
        ...

    def begin_shared(self, key: str, content_type: str) -> str:
        """Begin an object whose parts several processes send; returns the id of the upload."""
        ...

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
        """What this process writes of it: at most `most` parts, numbered from `first` on.

        Of the last run, which `is_last` says it is, the last part may be of any size. `before` are
        the first parts of the run, which another process has sent: this one goes on behind them.
        """
        ...

    def complete_shared(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        """Make the object of `parts`, which are all of its parts in order, and verify it.

        Raises:
            UploadConflict: the upload has ended, or a part was sent again with other bytes.
            ChecksumMismatch: the object is not what was sent, and was deleted.
            StorageUnavailable: the store does not say what the object is; it may be complete.
        """
        ...

    def find_completed(self, key: str, parts: Sequence[Part]) -> StoredObject | None:
        """The object, if it is what `parts` make beyond doubt; None for any other one, or none.

        For who finds that another process has ended the upload.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        ...

    def find(self, key: str) -> StoredObject | None:
        """As `head`, within seconds, and None only if the bucket itself is there.

        One try with short timeouts, for a caller who waits and can do without the answer.
        """
        ...

    def pieces(self, key: str) -> Iterator[bytes]:
        """The bytes of the object, in pieces of a megabyte at most.

        Raises:
            StorageError: there is no such object, or the store does not return all of it. It may
                have returned some pieces by then.
        """
        ...

    def list_objects(
        self, prefix: str, *, after: str = "", limit: int = 1000
    ) -> list[ListedObject]:
        """Objects whose keys begin with `prefix` and come behind `after`, by their UTF-8 bytes.

        At most `limit`, and never more than 1000; none means that there are no more.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object. There may be none."""
        ...

    def abort_uploads(self, key: str) -> int:
        """Abort every open upload of exactly that key, and return how many there were."""
        ...

    def list_uploads(self, prefix: str = "") -> Iterator[OpenUpload]:
        """Every open upload whose key begins with `prefix`.

        MinIO lists none unless `prefix` is a whole key, so a sweep needs the keys it made.
        """
        ...

    def presign(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        ttl: timedelta,
        method: LinkMethod = "GET",
    ) -> SignedLink:
        """A link that downloads the object as `filename`, or with HEAD one that describes it.

        The store is asked for the bucket's region at most, and once.

        It lives for `ttl` or less: no longer than the store's limit or the credentials it
        is signed with. `SignedLink.expires_at` is the real end.

        Raises:
            ValueError: `ttl` is under a second.
            InvalidFilename: `filename` is empty or holds control characters.
        """
        ...

    def check(self) -> timedelta:
        """Reach the bucket, and return how far the store's clock is ahead of ours.

        Links die early or never become valid when the two disagree; S3 refuses requests
        from 15 minutes on. Exact to about a second.
        """
        ...

    def close(self) -> None:
        """End connections. Safe to call twice."""
        ...
