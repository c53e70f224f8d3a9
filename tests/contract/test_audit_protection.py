"""R41: nobody rewrites the audit log by SQL, and who owns the database is found out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import audit_checkpoint, audit_log
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.audit_chain import AuditChain, AuditLogChanged

TABLES = {"audit_log": "id", "audit_checkpoint": "number"}
PROTECTED = (*TABLES, "audit_archive")
NO_TASK = {"id": None, "tenant_id": "acme", "fence": None}


def add(connection: Connection, count: int = 1) -> None:
    for number in range(count):
        audit(
            connection,
            datetime.now(UTC),
            "tested",
            NO_TASK,
            actor=Actor.command_line("ann"),
            detail={"number": number, "text": "ü", "half": 0.5},
        )


NO_TASK_ROW = {"at": datetime(2026, 1, 1, tzinfo=UTC), "tenant_id": "acme", "actor": "script"}


@pytest.fixture
def log(engine: Engine) -> Engine:
    """A log of six entries under three checkpoints, the second over 1,503 entries of a script."""
    chain = AuditChain(engine)
    for count in (2, 3, 1):
        with write_transaction(engine) as connection:
            add(connection, count)
            if count == 3:
                rows = [{**NO_TASK_ROW, "action": f"bulk-{number}"} for number in range(1_500)]
                connection.execute(sa.insert(audit_log), rows)
        assert chain.extend() is not None
    return engine


@pytest.mark.parametrize("table", TABLES)
def test_r41_no_statement_changes_or_takes_away_an_entry(log: Engine, table: str) -> None:
    key = TABLES[table]
    columns = "number, at, last_id, entries, hash"
    values = "1, '2026-01-01', 1, 1, 'x'"
    if table == "audit_log":
        columns = "id, at, tenant_id, actor, action"
        values = "1, '2026-01-01', 'acme', 'eve', 'nothing'"
    insert = f"INTO {table} ({columns}) VALUES ({values})"
    statements = [
        f"UPDATE {table} SET at = at",  # noqa: S608 - one of two names
        f"DELETE FROM {table}",  # noqa: S608 - as above
        f"INSERT {insert} ON CONFLICT ({key}) DO UPDATE SET at = excluded.at",
    ]
    if log.dialect.name == "postgresql":
        statements += [f"TRUNCATE {table}", f"TRUNCATE {table} RESTART IDENTITY CASCADE"]
    else:
        statements += [f"INSERT OR REPLACE {insert}", f"REPLACE {insert}"]

    for statement in statements:
        with (
            pytest.raises(DBAPIError, match=f"{table} is append-only"),
            write_transaction(log) as connection,
        ):
            connection.exec_driver_sql(statement)
    assert AuditChain(log).verify().entries == 1_506


def test_the_chain_covers_what_is_there_and_grows_with_it(log: Engine) -> None:
    chain = AuditChain(log)
    before = chain.verify()
    with write_transaction(log) as connection:
        add(connection, 4)

    assert (before.checkpoints, before.entries, before.uncovered) == (3, 1_506, 0)
    assert chain.verify().uncovered == 4
    made = chain.extend()
    assert made is not None
    assert (made.number, made.entries) == (4, 4)
    # With nothing new there is nothing to add.
    assert chain.extend() == made
    assert chain.verify(head=made.head).head == chain.verify(newest=2).head == made.head
    assert chain.verify(newest=2).checkpoints == 2
    assert chain.verify(head=before.head).entries == 1_510


def test_an_empty_log_has_no_checkpoint(engine: Engine) -> None:
    assert AuditChain(engine).extend() is None
    assert AuditChain(engine).verify().head is None


def unprotect(connection: Connection) -> None:
    """What the owner of the database can do."""
    for table in PROTECTED:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            continue
        for refused in ("update", "delete", "replace"):
            connection.execute(sa.text(f"DROP TRIGGER {table}_no_{refused}"))
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("DROP TRIGGER audit_archive_next"))


_id, _number = audit_log.c.id, audit_checkpoint.c.number
TAMPERINGS: dict[str, tuple[sa.sql.dml.UpdateBase, str]] = {
    "another actor": (sa.update(audit_log).where(_id == 1).values(actor="eve"), "Checkpoint 1"),
    "another detail": (sa.update(audit_log).where(_id == 2).values(detail={}), "Checkpoint 1"),
    "another address": (sa.update(audit_log).where(_id == 3).values(address="::1"), "Checkpoint 2"),
    "the last of many": (sa.update(audit_log).where(_id == 1_505).values(fence=1), "Checkpoint 2"),
    "one entry less": (sa.delete(audit_log).where(_id == 1_506), "Checkpoint 3"),
    "one entry more": (
        sa.insert(audit_log).values(id=-7, action="forged", **NO_TASK_ROW),
        "Checkpoint 1",
    ),
    "another hash": (
        sa.update(audit_checkpoint).where(_number == 3).values(hash="0" * 64),
        "Checkpoint 3",
    ),
    "no first checkpoint": (sa.delete(audit_checkpoint).where(_number == 1), "Checkpoint 1"),
    "no second checkpoint": (sa.delete(audit_checkpoint).where(_number == 2), "Checkpoint 2"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_r41_what_an_owner_changes_breaks_the_chain(log: Engine, kind: str) -> None:
    statement, told = TAMPERINGS[kind]
    chain = AuditChain(log)
    with write_transaction(log) as connection:
        unprotect(connection)
        connection.execute(statement)

    with pytest.raises(AuditLogChanged, match=told):
        chain.verify()
    protection = chain.protection()
    assert protection is not None
    assert len(protection.missing) == 10


def test_r41_a_chain_made_anew_does_not_have_the_head_that_was_logged(log: Engine) -> None:
    chain = AuditChain(log)
    logged = chain.verify().head
    with write_transaction(log) as connection:
        unprotect(connection)
        connection.execute(sa.delete(audit_checkpoint))
        connection.execute(sa.delete(audit_log).where(_id == 1_506))
    assert AuditChain(log).extend() is not None

    assert chain.verify().entries == 1_505
    with pytest.raises(AuditLogChanged, match="not part of the chain"):
        chain.verify(head=logged)


def test_the_tables_of_an_installation_are_protected(log: Engine) -> None:
    protection = AuditChain(log).protection()

    assert protection is not None
    assert protection.missing == []
    # The tests' account owns the tables.
    assert protection.may_rewrite


@pytest.mark.server
def test_an_entry_that_commits_late_is_waited_for_and_breaks_nothing(postgres_log: Engine) -> None:
    chain = AuditChain(postgres_log)
    late = postgres_log.connect()
    transaction = late.begin()
    add(late)
    with write_transaction(postgres_log) as connection:
        add(connection, 2)

    # Entries 2 and 3 are there, and 1 can still come.
    assert [chain.extend(), chain.extend()] == [None, None]
    transaction.commit()
    late.close()
    made = chain.extend()
    assert made is not None
    assert (made.last_id, made.entries) == (3, 3)
    assert chain.verify().entries == 3


@pytest.fixture
def postgres_log(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    upgrade(engine)
    yield engine
    engine.dispose()


def test_the_head_is_logged_once_an_hour(log: Engine, caplog: pytest.LogCaptureFixture) -> None:
    seconds = [0.0]
    chain = AuditChain(log, period=timedelta(hours=1), clock=lambda: seconds[-1])
    with caplog.at_level(logging.INFO, logger="waybill.infra.tasks.audit_chain"):
        for second in (0, 15, 3_599, 3_600, 3_615):
            seconds.append(second)
            chain.extend_when_due()

    heads = [record.__dict__["head"] for record in caplog.records]
    assert heads == [chain.verify().head] * 2


def test_a_long_log_gets_its_first_checkpoints_one_by_one(
    log: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with write_transaction(log) as connection:
        add(connection, 7)
    chain = AuditChain(log, most_entries=3, clock=lambda: 5.0)
    with caplog.at_level(logging.INFO, logger="waybill.infra.tasks.audit_chain"):
        for _ in range(5):
            chain.extend_when_due()

    assert [record.__dict__["entries"] for record in caplog.records] == [3, 3, 1]
    assert chain.verify().entries == 1_513


def test_of_sweepers_that_race_one_makes_each_checkpoint(log: Engine) -> None:
    with write_transaction(log) as connection:
        add(connection, 5)

    extend: list[Callable[[], object]] = [AuditChain(log).extend for _ in range(4)]
    with ThreadPoolExecutor(len(extend)) as threads:
        list(threads.map(lambda call: call(), extend))
        # A chain that saw another one's transaction does it the next time.
        list(threads.map(lambda call: call(), extend))

    with read_transaction(log) as connection:
        numbers = connection.execute(sa.select(_number).order_by(_number)).scalars().all()
    assert list(numbers) == [1, 2, 3, 4]
    assert AuditChain(log).verify().uncovered == 0
