"""The chain of checkpoints over the audit log: what triggers cannot stop, it shows.

A checkpoint holds a hash over a run of entries and over the checkpoint before it, so one hash
stands for everything up to it. Each worker logs the newest one every hour: who owns the database
can rewrite entries and checkpoints, but not the logs that were collected elsewhere.

An entry that was inserted late must not look like a forged one: on PostgreSQL ids are drawn
before transactions commit, so a run ends only at an id below which no entry can appear any more.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import WaybillError
from waybill.infra.db.audit_protection import Protection, protection_of
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.schema import schema_of
from waybill.infra.db.tables import audit_archive, audit_checkpoint, audit_log

log = logging.getLogger(__name__)

_entry = audit_log.c
_checkpoint = audit_checkpoint.c

#: Entries read at once.
_BATCH = 1_000
#: Entries under one checkpoint, so that the first one of a long log holds up no other work.
_MOST_ENTRIES = 100_000
_PERIOD = timedelta(hours=1)


class AuditLogChanged(WaybillError):
    """The audit log is not what its checkpoints say, or is not protected."""

    code = "audit_log_changed"
    retry = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One link of the chain: the hash over all entries up to `last_id`."""

    number: int
    at: datetime
    last_id: int
    entries: int
    hash: str

    @property
    def head(self) -> str:
        """How the log and people name it: number and hash."""
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked, how many checkpoints before it are archived, and how many entries no
    checkpoint covers yet."""

    checkpoints: int
    entries: int
    archived: int
    uncovered: int
    head: str | None


#: Below every id, forged ones included.
_BEFORE_ALL = -(2**63)
#: Before the first checkpoint.
_NOTHING = Checkpoint(0, datetime.min.replace(tzinfo=UTC), _BEFORE_ALL, 0, "")


class AuditChain:
    """Extends the chain once in each `period`, and verifies it. For one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        *,
        period: timedelta = _PERIOD,
        most_entries: int = _MOST_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[Connection], datetime] = database_now,
    ) -> None:
        """`clock` returns seconds, `now` the time that a checkpoint gets."""
        self._engine = engine
        self._period = period.total_seconds()
        self._most_entries = most_entries
        self._clock = clock
        self._now = now
        self._due = clock()
        #: The last id of a run, and the transaction before which all have to have ended.
        self._run: tuple[int, int] | None = None

    def extend_when_due(self) -> None:
        """Extend the chain and log its head, if a period has passed since the last time.

        Or at once, if the last time left entries over.
        """
        if self._clock() < self._due:
            return
        head = self.extend()
        if head is None:
            return
        if head.entries < self._most_entries:
            self._due = self._clock() + self._period
        log.info(
            "audit log checkpoint",
            extra={"head": head.head, "last_id": head.last_id, "entries": head.entries},
        )

    def extend(self) -> Checkpoint | None:
        """Add a checkpoint over the new entries; returns the newest one.

        None if there is none at all, or if a transaction is still under way that may add entries
        among the new ones: try again later.
        """
        with read_transaction(self._engine) as connection:
            last_id = self._settled(connection)
            if last_id is None:
                return None
            newest = _newest(connection)
            if last_id <= newest.last_id:
                return newest if newest.number else None
            last_id = self._shortened(connection, newest, last_id)
            digest, entries = _digest(connection, newest, last_id)
        with write_transaction(self._engine) as connection:
            # Of two sweepers at once, one makes it.
            if (now_newest := _newest(connection)) != newest:
                return now_newest
            made = Checkpoint(newest.number + 1, self._now(connection), last_id, entries, digest)
            statement = insert_ignoring(connection, audit_checkpoint).values(
                number=made.number,
                at=made.at,
                last_id=made.last_id,
                entries=made.entries,
                hash=made.hash,
            )
            kept = connection.execute(statement.returning(_checkpoint.number)).one_or_none()
            return made if kept else _newest(connection)

    def verify(self, *, newest: int | None = None, head: str | None = None) -> Verified:
        """Compute the chain again after its archived part, or its last `newest` checkpoints.

        Raises:
            AuditLogChanged: entries or checkpoints were changed, removed or inserted, or `head`,
                as a log printed it, is not part of the chain.
        """
        heads: set[str] = set()
        checked = entries = 0
        with read_transaction(self._engine) as connection:
            archived = archived_number(connection)
            chain = _chain(connection, archived, newest)
            before = next(chain, _NOTHING)
            for checkpoint in chain:
                _check(connection, before, checkpoint)
                heads.add(checkpoint.head)
                checked, entries, before = checked + 1, entries + checkpoint.entries, checkpoint
            if head is not None and head not in heads | _archived_heads(connection, archived):
                raise AuditLogChanged(
                    f"The head {head} is not part of the chain: the audit log was replaced or cut."
                )
            uncovered = connection.execute(
                sa.select(sa.func.count()).where(_entry.id > before.last_id)
            ).scalar_one()
        return Verified(
            checked, entries, archived, uncovered, before.head if before.number else None
        )

    def protection(self) -> Protection | None:
        """How the database protects the audit log; None before there are tables."""
        with read_transaction(self._engine) as connection:
            schema = schema_of(connection)
            if not sa.inspect(connection).has_table(audit_checkpoint.name, schema):
                return None
            return protection_of(connection)

    def _shortened(self, connection: Connection, newest: Checkpoint, last_id: int) -> int:
        """The last id of a run that holds no more entries than one checkpoint may."""
        after = sa.select(_entry.id).where(_entry.id > newest.last_id).order_by(_entry.id)
        full = connection.execute(after.offset(self._most_entries - 1).limit(1)).scalar()
        return last_id if full is None else min(last_id, full)

    def _settled(self, connection: Connection) -> int | None:
        """The last id of a run to which no entry can be added any more; None: not yet."""
        newest_id = sa.select(sa.func.coalesce(sa.func.max(_entry.id), _BEFORE_ALL))
        if connection.dialect.name != "postgresql":
            # One writer at a time: what is visible is in the order of its ids.
            return int(connection.execute(newest_id).scalar_one())
        if self._run is None:
            started = sa.func.txid_snapshot_xmax(sa.func.txid_current_snapshot())
            last_id, next_transaction = connection.execute(
                sa.select(newest_id.scalar_subquery(), started)
            ).one()
            self._run = (last_id, next_transaction)
        last_id, next_transaction = self._run
        oldest = sa.func.txid_snapshot_xmin(sa.func.txid_current_snapshot())
        if connection.execute(sa.select(oldest)).scalar_one() < next_transaction:
            return None
        self._run = None
        return last_id


def _newest(connection: Connection) -> Checkpoint:
    query = sa.select(audit_checkpoint).order_by(_checkpoint.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return Checkpoint(**row) if row else _NOTHING


def archived_number(connection: Connection) -> int:
    """The number of the last checkpoint whose entries are in an archived file; 0 before any."""
    query = sa.select(sa.func.coalesce(sa.func.max(audit_archive.c.number), 0))
    return int(connection.execute(query).scalar_one())


def checkpoints_from(
    connection: Connection, first: int, limit: int | None = None
) -> Iterator[Checkpoint]:
    """The checkpoint before number `first`, and then the others, `limit` in all."""
    if first == 1:
        yield _NOTHING
    query = sa.select(audit_checkpoint).where(_checkpoint.number >= max(1, first - 1))
    rows = connection.execute(query.order_by(_checkpoint.number).limit(limit)).mappings().all()
    yield from (Checkpoint(**row) for row in rows)


def _chain(connection: Connection, archived: int, newest: int | None) -> Iterator[Checkpoint]:
    """The checkpoint before the first one to check, and then those to check, oldest first."""
    first = archived + 1
    if newest is not None:
        first = max(first, _newest(connection).number - newest + 1)
    return checkpoints_from(connection, first)


def _archived_heads(connection: Connection, archived: int) -> set[str]:
    query = sa.select(audit_checkpoint).where(_checkpoint.number <= archived)
    return {Checkpoint(**row).head for row in connection.execute(query).mappings()}


def _check(connection: Connection, before: Checkpoint, checkpoint: Checkpoint) -> None:
    if checkpoint.number != before.number + 1:
        raise AuditLogChanged(f"Checkpoint {before.number + 1} of the audit log is missing.")
    if (checkpoint.hash, checkpoint.entries) != _digest(connection, before, checkpoint.last_id):
        raise AuditLogChanged(
            f"Checkpoint {checkpoint.number} of {checkpoint.at.isoformat(timespec='seconds')} does"
            f" not match: of the audit log's entries up to {checkpoint.last_id}, some were changed,"
            " removed or inserted since the checkpoint before."
        )


def _digest(connection: Connection, before: Checkpoint, last_id: int) -> tuple[str, int]:
    """The hash over the entries after `before` up to `last_id`, and their number."""
    digest = hashlib.sha256(before.hash.encode())
    count = 0
    for line in entry_lines(connection, before, last_id):
        digest.update(line)
        count += 1
    return digest.hexdigest(), count


def entry_lines(connection: Connection, before: Checkpoint, last_id: int) -> Iterator[bytes]:
    """The entries after `before` up to `last_id`, each as a line of JSON: what hashes are over."""
    after = before.last_id
    query = sa.select(audit_log).order_by(_entry.id).limit(_BATCH)
    while (
        rows := connection.execute(query.where(_entry.id > after, _entry.id <= last_id))
        .mappings()
        .all()
    ):
        yield from map(_line, rows)
        after = rows[-1]["id"]


def _line(row: sa.RowMapping) -> bytes:
    """An entry as bytes, the same on both databases. What is null is left out, so that columns
    which later versions add change no hash."""
    values: dict[str, Any] = {name: value for name, value in row.items() if value is not None}
    values["at"] = values["at"].astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return text.encode() + b"\n"
