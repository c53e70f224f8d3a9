"""A write that leaves nothing behind: whether the task database takes what a request stores.

A full disk answers questions, and even takes rows for as long as a page has room for them. So the
probe also writes a megabyte where the tables are, to a file that has no name and is gone at once.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.config.errors import DatabaseUnavailable
from waybill.infra.config.task_database_refusals import DISK_FULL
from waybill.infra.db.availability import reason_of
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import token_bucket

#: A disk with less room takes no requests for long.
_SPARE_BYTES = 1 << 20
#: PostgreSQL's block, and its least memory for a result before it becomes a file.
_BLOCK_BYTES, _LEAST_WORK_MEM = 8192, "64kB"
#: The server ends the probe sooner than another session releases a lock that it waits for.
_STATEMENT_TIMEOUT = "5s"


def probe_writes(engine: Engine) -> None:
    """Insert a row and delete it, in a commit of its own, and see that the disk has room.

    A migrated database is needed. No row of it is ever visible to anybody.

    Raises:
        DatabaseUnavailable: it takes no writes, or the disk of the tables has less than a
            megabyte left.
    """
    try:
        with write_transaction(engine) as connection:
            if connection.dialect.name == "postgresql":
                _write_temporary_file(connection)
            row = {"key": f"probe:{secrets.token_hex(8)}", "full_at": 0}
            connection.execute(sa.insert(token_bucket), row)
            connection.execute(sa.delete(token_bucket).where(token_bucket.c.key == row["key"]))
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(reason_of(error)) from error
    if engine.dialect.name == "sqlite" and engine.url.database:
        _write_beside(Path(engine.url.database))


def _write_temporary_file(connection: Connection) -> None:
    """Make PostgreSQL write a file beside the tables: no row, and nothing to vacuum.

    A result that is larger than `work_mem` goes to one, and an empty `temp_tablespaces` is the
    tablespace of the database.
    """
    for setting, value in (
        ("statement_timeout", _STATEMENT_TIMEOUT),
        ("temp_tablespaces", ""),
        ("work_mem", _LEAST_WORK_MEM),
    ):
        connection.execute(sa.select(sa.func.set_config(setting, value, True)))
    blocks = sa.func.generate_series(1, _SPARE_BYTES // _BLOCK_BYTES).table_valued("number")
    block = sa.select(sa.func.repeat("x", _BLOCK_BYTES).label("block")).select_from(blocks)
    stored = block.cte().prefix_with("MATERIALIZED")
    connection.execute(sa.select(sa.func.sum(sa.func.length(stored.c.block))))


def _write_beside(path: Path) -> None:
    """Write what SQLite may need next: its own files keep room that they have used before."""
    try:
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
            file.write(bytes(_SPARE_BYTES))
    except OSError as error:
        raise DatabaseUnavailable(DISK_FULL) from error
