"""F86: old entries of the audit log become files that prove themselves, and leave the database."""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from tests.support.task_tables import DATABASES, IN_A_HOSTS_FILE, IN_A_SCHEMA, task_tables
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.schema import qualified
from waybill.infra.db.tables import audit_archive, audit_checkpoint, audit_log
from waybill.infra.tasks.audit_archive import AuditArchive
from waybill.infra.tasks.audit_chain import AuditChain, AuditLogChanged
from waybill.infra.worker.audit_archiver import AuditArchiver
from waybill.storage.memory import MemoryStore

NOW = datetime.now(UTC)
_entry = audit_log.c


def add(engine: Engine, count: int, days_ago: int) -> None:
    """Entries, and a checkpoint over them, of a day in the past."""
    at = NOW - timedelta(days=days_ago)
    row = {"at": at, "tenant_id": "acme", "actor": "ann", "action": "tested", "detail": {"ü": 0.5}}
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(audit_log), [row] * count)
    assert AuditChain(engine, now=lambda _: at).extend()


@pytest.fixture(params=[*DATABASES, IN_A_SCHEMA, IN_A_HOSTS_FILE])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on empty task tables, also in a schema: on PostgreSQL a function prunes."""
    with task_tables(request, tmp_path) as engine:
        yield engine


@pytest.fixture
def log(engine: Engine) -> Engine:
    """A log of 5, 3, 2 and 4 entries, the last four of today."""
    for count, days_ago in ((5, 90), (3, 60), (2, 45), (4, 0)):
        add(engine, count, days_ago)
    return engine


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def archiver(engine: Engine, store: MemoryStore, days: int = 50) -> AuditArchiver:
    """One that deletes two entries at once."""
    return AuditArchiver(AuditArchive(engine, keep=timedelta(days=days), batch=2), store)


def archive_all(archiver: AuditArchiver) -> None:
    while archiver.archive():
        pass


def ids(engine: Engine) -> list[int]:
    with read_transaction(engine) as connection:
        return list(connection.execute(sa.select(_entry.id).order_by(_entry.id)).scalars())


def test_f86_archived_files_prove_themselves_and_the_chain_goes_on(
    log: Engine, store: MemoryStore
) -> None:
    heads = AuditChain(log).verify()

    archive_all(archiver(log, store))

    # Those of 90 and 60 days ago; the checkpoint of 45 days ago is not old enough.
    assert ids(log) == list(range(9, 15))
    with read_transaction(log) as connection:
        files = connection.execute(sa.select(audit_archive)).mappings().all()
        hashes = connection.execute(
            sa.select(audit_checkpoint.c.hash).order_by(audit_checkpoint.c.number)
        ).scalars()
        chain = ["", *hashes]
    assert [file["number"] for file in files] == [1, 2]
    for file, before, expected in zip(files, chain, chain[1:], strict=False):
        data = store.read(file["key"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["size_bytes"])
        lines = gzip.decompress(data)
        assert hashlib.sha256(before.encode() + lines).hexdigest() == expected
    assert [gzip.decompress(store.read(file["key"])).count(b"\n") for file in files] == [5, 3]

    after = AuditChain(log).verify(head=f"1:{chain[1]}")
    assert (after.archived, after.checkpoints, after.entries) == (2, 2, 6)
    assert after.head == heads.head
    add(log, 3, 0)
    assert AuditChain(log).verify(newest=24, head=heads.head).entries == 9


def test_f86_only_what_is_archived_and_a_month_old_can_be_deleted(
    log: Engine, store: MemoryStore
) -> None:
    with read_transaction(log) as connection:
        last = connection.execute(sa.select(sa.func.max(audit_checkpoint.c.number))).scalar_one()

    def claim(number: int) -> None:
        """Record an archive that does not exist, as a process that was taken over could."""
        row = {"number": number, "at": NOW, "key": "k", "sha256": "x", "size_bytes": 0}
        with write_transaction(log) as connection:
            connection.execute(sa.insert(audit_archive), row)

    def delete(entry: int) -> None:
        with write_transaction(log) as connection:
            connection.execute(sa.delete(audit_log).where(_entry.id == entry))

    for number in (2, last + 1):
        with pytest.raises(DBAPIError, match="takes the next checkpoint only"):
            claim(number)
    with pytest.raises(DBAPIError, match="audit_log is append-only"):
        delete(1)
    for number in range(1, last + 1):
        claim(number)
    for refused in (
        sa.delete(audit_archive),
        sa.update(audit_archive).values(key="other"),
        sa.delete(audit_log).where(_entry.id == 11),
    ):
        with (
            pytest.raises(DBAPIError, match="is append-only"),
            write_transaction(log) as connection,
        ):
            connection.execute(refused)
    # Ten are older than a month.
    archive_all(archiver(log, store))
    assert ids(log) == [11, 12, 13, 14]


def test_f86_the_newest_entry_stays_so_that_no_id_comes_twice(
    engine: Engine, store: MemoryStore
) -> None:
    add(engine, 3, 90)
    archive_all(archiver(engine, store))
    add(engine, 1, 0)

    assert ids(engine)[-1] == 4
    assert AuditChain(engine).verify().entries == 1


def test_f86_an_entry_that_was_changed_is_not_archived(
    log: Engine, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    with write_transaction(log) as connection:
        if log.dialect.name == "postgresql":
            log_name = qualified(connection, "audit_log")
            connection.exec_driver_sql(f"ALTER TABLE {log_name} DISABLE TRIGGER ALL")
        else:
            connection.exec_driver_sql("DROP TRIGGER audit_log_no_update")
        connection.execute(sa.update(audit_log).where(_entry.id == 7).values(actor="eve"))
    keeper = archiver(log, store)
    with caplog.at_level(logging.ERROR):
        archive_all(keeper)
        archive_all(keeper)

    assert ids(log) == list(range(6, 15))
    [line] = [entry for entry in caplog.records if entry.message == "audit log changed"]
    assert line.__dict__["alert"] is True
    with pytest.raises(AuditLogChanged, match="Checkpoint 2"):
        AuditChain(log).verify()


class ExpiringStore(MemoryStore):
    """A bucket with a rule for all that is in it."""

    def expiry_rule(self, prefix: str) -> str | None:
        """The rule."""
        return "everything"


def test_f86_nothing_is_archived_where_a_rule_of_the_bucket_would_delete_it(
    log: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    store = ExpiringStore()
    with caplog.at_level(logging.ERROR):
        archive_all(archiver(log, store))

    assert (len(ids(log)), store.stored_keys()) == (14, [])
    [line] = caplog.records
    assert line.__dict__["reason"] == "everything"
