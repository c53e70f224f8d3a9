"""Archiving the audit log: old entries go into files in the bucket, then out of the database."""

from __future__ import annotations

import logging
import zlib

from sqlalchemy.engine import Engine

from waybill.infra.config.settings import Settings
from waybill.infra.tasks.audit_archive import ArchiveFile, AuditArchive
from waybill.infra.tasks.audit_chain import AuditLogChanged
from waybill.storage.errors import StorageUnavailable
from waybill.storage.store import ObjectStore

log = logging.getLogger(__name__)

#: Of the keys. Files of exports have another one, and no rule of Waybill's deletes anything here.
PREFIX = "audit/"


class AuditArchiver:
    """Archives one checkpoint at a time."""

    def __init__(self, archive: AuditArchive, store: ObjectStore) -> None:
        self._archive = archive
        self._store = store
        self._reported: set[str] = set()

    def archive(self) -> bool:
        """Store the next file and record it, or delete a batch of what is archived.

        Whether there may be more to do.
        """
        try:
            file = self._archive.next_file()
        except AuditLogChanged as error:
            self._report("audit log changed", error.message)
            file = None
        if file is not None and self._may_store():
            self._put(file)
            return True
        return self._archive.prune() > 0

    def _put(self, file: ArchiveFile) -> None:
        """Store a file. Again is harmless: the same entries have the same key and bytes."""
        key = f"{PREFIX}{file.name}"
        size = len(file.data)
        with self._store.open_upload(
            key, content_type="application/gzip", expected_bytes=size
        ) as upload:
            # The clean exit compares this with what the store confirmed.
            upload.expect(size, zlib.crc32(file.data))
            upload.write(file.data)
        stored = self._store.head(key)
        if stored is None or stored.size_bytes != size:
            raise StorageUnavailable("The object store does not have the archived file.")
        self._archive.record(file, key)
        log.info(
            "audit log archived",
            extra={"key": key, "head": file.checkpoint.head, "entries": file.checkpoint.entries},
        )

    def _may_store(self) -> bool:
        """Whether files stay where they would be stored."""
        rule = self._store.expiry_rule(PREFIX)
        if rule is not None:
            self._report("audit log not archived: a rule of the bucket would delete it", rule)
        return rule is None

    def _report(self, what: str, reason: str) -> None:
        """Log what needs an operator, once in the life of this process."""
        if what not in self._reported:
            self._reported.add(what)
            log.error(what, extra={"alert": True, "reason": reason})


def build_archiver(settings: Settings, engine: Engine, store: ObjectStore) -> AuditArchiver | None:
    """The archiver that `settings` asks for."""
    keep = settings.audit_retention
    return AuditArchiver(AuditArchive(engine, keep=keep), store) if keep else None
