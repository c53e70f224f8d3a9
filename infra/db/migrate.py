"""Migrations of the task tables. Idempotent, and safe from many processes at once.

On PostgreSQL nobody has to stop for one: a migration changes one table at a time and waits for no
lock longer than `MigrationPauses.lock_timeout`, since everything that asks for the table meanwhile
waits behind it; and indexes are built ``CONCURRENTLY`` by migrations that do nothing else
(``online = True``). `tests/unit/test_migration_rules.py` refuses what would block or would take
anything away from processes of the version before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.errors import BadSettings, DatabaseUnavailable
from waybill.infra.db.availability import is_unreachable, reason_of
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.schema import schema_of
from waybill.infra.db.table_prefix import prefixed
from waybill.infra.db.tables import VERSION_TABLE, export_task, metadata

log = logging.getLogger(__name__)

#: Held while migrations run on PostgreSQL, between them as well.
_ADVISORY_LOCK = 929_2456
#: WAYBILL on a phone keypad. Versions up to 0.1 wait for it inside a statement, and so with a
#: snapshot that an index build would wait for: it is held only while a transaction changes tables.
_ADVISORY_LOCK_OF_A_CHANGE = 929_2455
#: How often a process looks whether another one has finished.
_POLL_SECONDS = 0.2
#: Where versions up to 0.1 kept the revision, under the name that every program with Alembic uses.
#: It is left alone: processes of such a version may still run.
_OLD_VERSION_TABLE = sa.table("alembic_version", sa.column("version_num"))
#: Lock not available, deadlock: nothing was changed. (SQLSTATE)
_TRY_AGAIN = ("55P03", "40P01")
_NO_RIGHT = "42501"


@dataclass(frozen=True, slots=True)
class MigrationPauses:
    """How a migration gives way to the installation that runs, on PostgreSQL."""

    #: How long requests may queue behind a change that waits for a transaction. Below PostgreSQL's
    #: `deadlock_timeout` (1 s), so that of two that wait for each other the migration gives way.
    lock_timeout: timedelta = timedelta(milliseconds=800)
    #: Between two tries.
    pause: timedelta = timedelta(seconds=2)
    #: After this the migration fails.
    give_up_after: timedelta = timedelta(minutes=10)


def upgrade(
    engine: Engine, revision: str = "head", *, pauses: MigrationPauses = MigrationPauses()
) -> str | None:
    """Run the migrations that are missing.

    Tables that a newer version has changed are left as they are, and their revision is returned:
    migrations only add, so this version can work with them. On PostgreSQL each migration commits
    by itself; all of them together do in an empty database, and on SQLite.

    Raises:
        BadSettings: the account may not change the tables, or they are not Waybill's.
        DatabaseUnavailable: the connection was lost, or a transaction kept the tables locked.
    """
    try:
        with read_transaction(engine) as connection:
            schema = _Schema.of(connection)
        if schema.is_newer:
            return schema.current
        if schema.missing(revision) or schema.adopted:
            _upgrade(engine, revision, pauses)
    except (sa.exc.ProgrammingError, sa.exc.InternalError, sa.exc.OperationalError) as error:
        if is_unreachable(error):
            raise DatabaseUnavailable(reason_of(error)) from error
        reason = str(error.orig).partition("\n")[0]
        raise BadSettings(
            f"WAYBILL_DATABASE_URL: the task tables cannot be created or upgraded: {reason}."
            " Run `waybill migrate` with an account that may."
        ) from error
    return None


def schema_state(engine: Engine) -> str:
    """Where the task tables stand, in a few words for people.

    Raises:
        BadSettings: they are not Waybill's.
    """
    with read_transaction(engine) as connection:
        schema = _Schema.of(connection)
    if schema.is_newer:
        return f"tables of a newer version ({schema.current}): update this one"
    if schema.current is None:
        return "tables not made yet: `waybill migrate` or the first start makes them"
    if not schema.missing("head"):
        return "tables up to date"
    return "tables of an older version: `waybill migrate` or the next start upgrades them"


def has_tables(engine: Engine) -> bool:
    """Whether the task tables were made, by whichever version."""
    with read_transaction(engine) as connection:
        return _Schema.of(connection).current is not None


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, bound to an open connection if there is one."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


@cache
def _migrations() -> tuple[Script, ...]:
    """All migrations of this version, oldest first."""
    scripts = ScriptDirectory.from_config(config())
    return tuple(scripts.iterate_revisions("head", "base"))[::-1]


@dataclass(frozen=True, slots=True)
class _Schema:
    """The revision of the tables, and all migrations that this version knows, oldest first."""

    current: str | None
    chain: tuple[Script, ...]
    #: Whether the revision stands in `_OLD_VERSION_TABLE` only.
    adopted: bool = False

    @classmethod
    def of(cls, connection: Connection) -> _Schema:
        """What the database says.

        Raises:
            BadSettings: it names a revision that no version of Waybill has, or another program has
                tables of our names.
        """
        schema = schema_of(connection)
        options = {"version_table": VERSION_TABLE, "version_table_schema": schema}
        heads = MigrationContext.configure(connection, opts=options).get_current_heads()
        adopted = not heads and _has_our_tables(connection)
        if adopted:
            heads = tuple(connection.execute(sa.select(_OLD_VERSION_TABLE)).scalars())
        found = cls(heads[0] if heads else None, _migrations(), adopted)
        foreign = [head for head in heads if head not in found._known and not head.isdecimal()]
        if foreign or len(heads) > 1:
            raise BadSettings(
                f"WAYBILL_DATABASE_URL: {VERSION_TABLE} names a revision that is not Waybill's"
                f" ({', '.join(heads)})."
            )
        return found

    @property
    def _known(self) -> list[str]:
        return [script.revision for script in self.chain]

    @property
    def is_newer(self) -> bool:
        """Whether a newer version has changed the tables."""
        return self.current is not None and self.current not in self._known

    def missing(self, revision: str) -> tuple[Script, ...]:
        """The migrations up to `revision` that were not run."""
        target = self._known[-1] if revision == "head" else revision
        first = 0 if self.current is None else self._known.index(self.current) + 1
        return self.chain[first : self._known.index(target) + 1]


def _has_our_tables(connection: Connection) -> bool:
    """Whether our tables are there, in a schema without `VERSION_TABLE`.

    Raises:
        BadSettings: tables of our names are there, and are not ours.
    """
    schema, inspector = schema_of(connection), sa.inspect(connection)
    ours = {prefixed(connection, name) for name in metadata.tables}
    taken = sorted(ours.intersection(inspector.get_table_names(schema)))
    if not taken:
        return False
    if prefixed(connection, export_task.name) in taken and inspector.has_table(
        _OLD_VERSION_TABLE.name, schema
    ):
        columns = {column["name"] for column in inspector.get_columns(export_task.name, schema)}
        if {"lease_owner", "dedupe_key"} <= columns:
            return True
    postgres = connection.dialect.name == "postgresql"
    place = f"the schema {schema or inspector.default_schema_name}" if postgres else "the file"
    remedy = (
        "Name a schema of Waybill's own in WAYBILL_DATABASE_SCHEMA."
        if postgres
        else "Name another prefix in WAYBILL_DATABASE_SCHEMA, or another file in"
        " WAYBILL_DATABASE_URL."
    )
    raise BadSettings(
        f"WAYBILL_DATABASE_URL: another program has tables of these names in {place}:"
        f" {', '.join(taken)}. {remedy}"
    )


def _upgrade(engine: Engine, revision: str, pauses: MigrationPauses) -> None:
    if engine.dialect.name != "postgresql":
        with write_transaction(engine) as connection:
            _adopt(connection)
            command.upgrade(config(connection), revision)
        return
    with _one_at_a_time(engine):
        while True:
            with write_transaction(engine) as connection:
                schema = _adopt(connection)
            missing = () if schema.is_newer else schema.missing(revision)
            if not missing:
                return
            # In an empty database there is nobody to give way to.
            step = missing[-1] if schema.current is None else missing[0]
            _with_retries(engine, step, pauses, online=schema.current is not None)


def _adopt(connection: Connection) -> _Schema:
    """Write the revision into our own version table where an earlier version kept it elsewhere."""
    schema = _Schema.of(connection)
    if schema.adopted and schema.current is not None:
        try:
            with connection.begin_nested():
                command.stamp(config(connection), schema.current)
        except sa.exc.ProgrammingError as error:
            # An account that may not make tables needs none, unless a migration is missing.
            if getattr(error.orig, "sqlstate", None) != _NO_RIGHT or schema.missing("head"):
                raise
    return schema


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[None]:
    """Hold the lock of migrations, in a transaction of its own that has no snapshot.

    An index build waits for all older snapshots: with a process whose statement waited for this
    lock, it would wait for ever. A session's lock would be lost in PgBouncer.
    """
    with engine.connect() as connection:
        while True:
            transaction = connection.begin()
            # The engine ends silent transactions, and a build may take long.
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            # Without parameters: those of a statement would keep its snapshot until the next one.
            lock = f"SELECT pg_try_advisory_xact_lock({_ADVISORY_LOCK})"
            if connection.exec_driver_sql(lock).scalar_one():
                break
            transaction.rollback()
            time.sleep(_POLL_SECONDS)
        with transaction:
            yield


def _with_retries(engine: Engine, step: Script, pauses: MigrationPauses, *, online: bool) -> None:
    """Run one migration, again and again while a transaction keeps a table locked."""
    run = _run_online if online and getattr(step.module, "online", False) else _run
    deadline = time.monotonic() + pauses.give_up_after.total_seconds()
    tries = 0
    while True:
        try:
            run(engine, step, pauses)
            return
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _TRY_AGAIN:
                raise
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    "The task tables cannot be changed: a transaction keeps them locked. End it"
                    " (pg_stat_activity shows it), then run `waybill migrate`."
                ) from error
        tries += 1
        if tries == 1:
            log.warning("migration waits for a transaction", extra={"revision": step.revision})
        time.sleep(pauses.pause / timedelta(seconds=1))


def _run(engine: Engine, step: Script, pauses: MigrationPauses) -> None:
    """Run all migrations up to `step` in one transaction."""
    with write_transaction(engine) as connection:
        milliseconds = pauses.lock_timeout // timedelta(milliseconds=1)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
        lock = sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK_OF_A_CHANGE)
        connection.execute(sa.select(lock))
        schema = schema_of(connection)
        if schema and not sa.inspect(connection).has_schema(schema):
            connection.execute(sa.schema.CreateSchema(schema))
        command.upgrade(config(connection), step.revision)


def _run_online(engine: Engine, step: Script, _pauses: MigrationPauses) -> None:
    """Run a migration that builds indexes, outside of a transaction: it may be run again."""
    with engine.connect() as connection:
        command.upgrade(
            config(connection.execution_options(isolation_level="AUTOCOMMIT")), step.revision
        )
