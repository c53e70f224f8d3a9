"""The bucket against the database: objects on no record, and files that are gone.

Objects without a record are left by a database that was restored from a backup, or that lost its
last commits in a failover. Only keys of this installation are looked at, and a key is on record
before its upload begins, so no object that an attempt is writing is ever taken for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy.engine import Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.files.read_back import read_back
from waybill.infra.files.stored_files import StoredFiles
from waybill.infra.tasks.audit import SYSTEM, Actor, audit, no_task
from waybill.infra.tasks.lifecycle.objects import (
    FilePosition,
    FinishedFile,
    finished_files,
    unrecorded_keys,
)
from waybill.storage.errors import StorageRejected
from waybill.storage.store import ListedObject, ObjectStore, OpenUpload

#: Objects of one listing; the most that S3 returns. (Amazon S3 API Reference, "ListObjectsV2".)
PAGE = 1000
#: Questions to the store at a time.
_AT_ONCE = 8
#: Differences of each kind that are named.
_MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that tasks refer to, and that the store does not have, or has in another size."""

    key: str
    size_bytes: int
    stored_bytes: int | None


@dataclass(slots=True)
class Differences:
    """What `Reconciler.run` found, and what it did about it."""

    objects: int = 0
    files: int = 0
    #: Objects on no record; of these, `orphans_young` are too young to be deleted.
    orphans: int = 0
    orphans_young: int = 0
    orphan_bytes: int = 0
    #: Uploads on no record, begun long ago and never ended; None if the store lists none to us.
    uploads: int | None = 0
    uploads_aborted: int = 0
    missing: int = 0
    #: Of files that were read: bytes, files that the store does not return although it lists
    #: them, and files with other bytes.
    bytes_read: int = 0
    unreadable: int = 0
    damaged: int = 0
    deleted: int = 0
    tasks_expired: int = 0
    #: Objects that the store does not let us delete.
    refused: int = 0
    #: The first thousand of each.
    orphan_keys: list[str] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)
    unreadable_keys: list[str] = field(default_factory=list)
    damaged_keys: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether bucket and database differ."""
        return bool(self.orphans or self.uploads or self.missing or self.unreadable or self.damaged)


def age(item: ListedObject, now: datetime) -> timedelta:
    """How old the object is at `now` of the store's clock; never less than nothing.

    A store tells its time in whole seconds, so an object can seem to be from the next one.
    (RFC 9110, section 5.6.7.)
    """
    return max(now - item.modified_at, timedelta(0))


class Reconciler:
    """Compares the objects of one installation with its task tables. Holds one page in memory."""

    def __init__(
        self,
        engine: Engine,
        store: ObjectStore,
        prefix: str,
        *,
        page: int = PAGE,
    ) -> None:
        """`prefix` is what the key of every object of the installation begins with."""
        self._engine = engine
        self._store = store
        self.files = StoredFiles(engine, store)
        self._prefix = prefix
        self._page = page

    def run(
        self, *, fix: bool, older_than: timedelta, read: bool = False, actor: Actor = SYSTEM
    ) -> Differences:
        """Compare everything; with `fix`, delete orphans and expire tasks without their file.

        Orphans younger than `older_than`, by the store's clock, are left alone. With `read`, each
        file is read to its end. One with other bytes is none, so it is fixed as if it were gone.
        One that the store does not return is asked for again when all others have been read, and
        then only named: whether it comes back, the store's operator knows.

        Raises:
            StorageError: the store does not answer. What was done until then is done.
        """
        found = Differences()
        now = self.store_now()
        self._compare_objects(found, now, older_than, actor, fix=fix)
        self._compare_uploads(found, now - older_than, fix=fix)
        self._compare_files(found, actor, fix=fix, read=read)
        return found

    def _compare_objects(
        self,
        found: Differences,
        now: datetime,
        older_than: timedelta,
        actor: Actor,
        *,
        fix: bool,
    ) -> None:
        for page in self._listing():
            found.objects += len(page)
            orphans = self.unrecorded(page)
            old = [item for item in orphans if age(item, now) >= older_than]
            found.orphans += len(orphans)
            found.orphans_young += len(orphans) - len(old)
            found.orphan_bytes += sum(item.size_bytes for item in orphans)
            _name(found.orphan_keys, [item.key for item in orphans])
            if fix and old:
                deleted = self.delete(old, actor)
                found.deleted += deleted
                found.refused += len(old) - deleted

    def _compare_uploads(self, found: Differences, begun_by: datetime, *, fix: bool) -> None:
        try:
            uploads = self.unrecorded_uploads(begun_by)
        except StorageRejected:
            found.uploads = None
        else:
            found.uploads = len(uploads)
            found.uploads_aborted = self.abort(uploads) if fix else 0

    def _compare_files(self, found: Differences, actor: Actor, *, fix: bool, read: bool) -> None:
        after: FilePosition | None = None
        unreadable: list[FinishedFile] = []
        while files := self.finished_files(after):
            after = files[-1].position
            found.files += len(files)
            missing = self.missing(files)
            found.missing += len(missing)
            _name(found.missing_keys, [item.key for item in missing])
            lost = [item.key for item in missing]
            if read:
                there = [item for item in files if item.key not in {*lost}]
                refused, damaged = self._read(there, found)
                unreadable += refused
                lost += damaged
            if fix:
                for key in lost:
                    found.tasks_expired += self.files.record_missing(key, actor)
        still_unreadable, damaged = self._read(unreadable, found)
        found.unreadable = len(still_unreadable)
        _name(found.unreadable_keys, [item.key for item in still_unreadable])
        if fix:
            for key in damaged:
                found.tasks_expired += self.files.record_missing(key, actor)

    def _read(
        self, files: Sequence[FinishedFile], found: Differences
    ) -> tuple[list[FinishedFile], list[str]]:
        """Read files to their ends; those that are not returned, and keys of damaged ones."""
        results = read_back(self._store, files)
        found.bytes_read += sum(result.bytes_read for result in results)
        damaged = [result.file.key for result in results if result.wrong == "damaged"]
        found.damaged += len(damaged)
        _name(found.damaged_keys, damaged)
        return [result.file for result in results if result.wrong == "unreadable"], damaged

    def store_now(self) -> datetime:
        """The time by the store's clock, which dates its objects."""
        return datetime.now(UTC) + self._store.check()

    def list_after(self, key: str) -> list[ListedObject]:
        """The next objects behind `key`, at most a page."""
        return self._store.list_objects(self._prefix, after=key, limit=self._page)

    def _listing(self) -> Iterator[list[ListedObject]]:
        after = ""
        while page := self.list_after(after):
            yield page
            after = page[-1].key

    def unrecorded(self, page: Sequence[ListedObject]) -> list[ListedObject]:
        """Those of `page` that are on no record."""
        keys = self._unrecorded_keys([item.key for item in page])
        return [item for item in page if item.key in keys]

    def unrecorded_uploads(self, begun_by: datetime) -> list[OpenUpload]:
        """At most a page of uploads on no record, begun by then of the store's clock.

        A worker that tries a store that is away leaves them, and so does a database that was
        restored. None of them can become a file: a key is on record before its upload begins.

        Raises:
            StorageRejected: the store does not list uploads to us.
        """
        uploads = self._store.list_uploads(self._prefix)
        found = list(islice((item for item in uploads if item.started_at <= begun_by), self._page))
        keys = self._unrecorded_keys([item.key for item in found])
        return [item for item in found if item.key in keys]

    def abort(self, uploads: Sequence[OpenUpload]) -> int:
        """Abort uploads, so that their parts take no space; returns how many were."""
        return sum(self._store.abort_uploads(key) for key in {item.key for item in uploads})

    def _unrecorded_keys(self, keys: Sequence[str]) -> Set[str]:
        with read_transaction(self._engine) as connection:
            return unrecorded_keys(connection, keys)

    def delete(self, orphans: Sequence[ListedObject], actor: Actor = SYSTEM) -> int:
        """Delete objects on no record, with one audit entry; returns how many could be deleted."""
        deleted = []
        for item in orphans:
            try:
                self._store.delete(item.key)
            except StorageRejected:
                continue
            deleted.append(item)
        if deleted:
            with write_transaction(self._engine) as connection:
                detail = {
                    "objects": len(deleted),
                    "bytes": sum(item.size_bytes for item in deleted),
                    "first": deleted[0].key,
                    "last": deleted[-1].key,
                }
                now = database_now(connection)
                audit(connection, now, "delete_orphans", no_task(None), actor=actor, detail=detail)
        return len(deleted)

    def finished_files(
        self, after: FilePosition | None = None, limit: int | None = None
    ) -> list[FinishedFile]:
        """The files of finished tasks behind a position, at most a page."""
        with read_transaction(self._engine) as connection:
            return finished_files(connection, limit or self._page, after)

    def missing(self, files: Sequence[FinishedFile]) -> list[MissingFile]:
        """Those of `files` that the store does not have, or has in another size.

        Raises:
            StorageError: the store does not answer.
        """
        sizes = {item.key: item.size_bytes for item in files}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = dict(zip(sizes, threads.map(self._store.find, sizes), strict=True))
        stored = {key: item.size_bytes if item else None for key, item in found.items()}
        return [
            MissingFile(key, size, stored[key])
            for key, size in sizes.items()
            if stored[key] != size
        ]


def _name(named: list[str], keys: Sequence[str]) -> None:
    named.extend(keys[: _MOST_NAMED - len(named)])
