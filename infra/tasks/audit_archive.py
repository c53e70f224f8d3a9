"""The archive of the audit log: old checkpoints leave the database as files, one for each.

A file holds the lines that the checkpoint's hash is over, so it proves itself, without Waybill:
``(printf %s "$HASH_OF_THE_ONE_BEFORE"; zcat FILE) | sha256sum``.

The database refuses to delete an entry that is not archived, or younger than 30 days. On PostgreSQL
the deletion is a function that has the rights of the tables' owner, and can do nothing else
(`waybill.infra.db.migrations`).
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.file_settings import LEAST_AUDIT_AGE
from waybill.infra.db.batches import chosen_once
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.schema import qualified
from waybill.infra.db.tables import audit_archive, audit_checkpoint, audit_log
from waybill.infra.tasks.audit_chain import (
    AuditLogChanged,
    Checkpoint,
    archived_number,
    checkpoints_from,
    entry_lines,
)

_entry = audit_log.c
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """The entries of one checkpoint: gzip, with a line of JSON for each."""

    checkpoint: Checkpoint
    data: bytes

    @property
    def name(self) -> str:
        """The same for the same entries of the same installation, and for no others."""
        return f"{self.checkpoint.number:08}-{self.checkpoint.hash[:16]}.jsonl.gz"


class AuditArchive:
    """Finds what is to be archived, and deletes what was. Safe in any number of processes."""

    def __init__(self, engine: Engine, *, keep: timedelta, batch: int = _BATCH) -> None:
        """Entries stay in the database for `keep`; the database itself insists on 30 days."""
        self._engine = engine
        self._keep = keep
        self._batch = batch

    def next_file(self) -> ArchiveFile | None:
        """The file of the oldest checkpoint that is old enough and not archived; mostly None.

        Raises:
            AuditLogChanged: the entries are not those that the checkpoint was made over.
        """
        with read_transaction(self._engine) as connection:
            first = archived_number(connection) + 1
            chain = list(checkpoints_from(connection, first, limit=2))
            if len(chain) < 2 or chain[1].at >= database_now(connection) - self._keep:
                return None
            before, checkpoint = chain[:2]
            digest, file = hashlib.sha256(before.hash.encode()), BytesIO()
            # Without a name or a time, so that each process makes the same bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                for line in entry_lines(connection, before, checkpoint.last_id):
                    digest.update(line)
                    packed.write(line)
        if digest.hexdigest() != checkpoint.hash:
            raise AuditLogChanged(
                f"Checkpoint {checkpoint.number} does not match the audit log: it is not archived."
            )
        return ArchiveFile(checkpoint, file.getvalue())

    def record(self, file: ArchiveFile, key: str) -> None:
        """Record that the store holds the file under `key`: its entries may be deleted now."""
        with write_transaction(self._engine) as connection:
            # Another process may have recorded the same file.
            if archived_number(connection) >= file.checkpoint.number:
                return
            connection.execute(
                insert_ignoring(connection, audit_archive),
                {
                    "number": file.checkpoint.number,
                    "at": database_now(connection),
                    "key": key,
                    "sha256": hashlib.sha256(file.data).hexdigest(),
                    "size_bytes": len(file.data),
                },
            )

    def prune(self) -> int:
        """Delete a batch of archived entries; returns how many."""
        with read_transaction(self._engine) as connection:
            if connection.execute(_archived(connection).limit(1)).first() is None:
                return 0
        with write_transaction(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                # A function takes no part in the map of schemas.
                prune = qualified(connection, "waybill_prune_audit_log")
                pruned = sa.text(f"SELECT {prune}(CAST(:batch AS integer))")
                return int(connection.execute(pruned, {"batch": self._batch}).scalar_one())
            some = chosen_once(_archived(connection).limit(self._batch))
            statement = sa.delete(audit_log).where(_entry.id.in_(some)).returning(_entry.id)
            return len(connection.execute(statement).all())


def _archived(connection: Connection) -> sa.Select[tuple[int]]:
    """The ids of archived entries that may be deleted, oldest first.

    The newest entry of all is not among them: SQLite would give its id to the next one.
    """
    last_id = (
        sa.select(audit_checkpoint.c.last_id)
        .where(audit_checkpoint.c.number == archived_number(connection))
        .scalar_subquery()
    )
    newest = sa.select(sa.func.max(_entry.id)).scalar_subquery()
    old = _entry.at < database_now(connection) - LEAST_AUDIT_AGE
    return (
        sa.select(_entry.id)
        .where(_entry.id <= last_id, _entry.id < newest, old)
        .order_by(_entry.id)
    )
