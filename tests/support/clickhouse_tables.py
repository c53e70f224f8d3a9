"""Writing to the tests' ClickHouse through SQLAlchemy: tables, rows, changes."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from tests.support.servers.clickhouse import ClickhouseServer
from waybill.infra.sources.clickhouse.dialect import ClickhouseDialect, with_types

#: ClickHouse changes rows by rewriting parts of a table, and knows the columns by their own names.
_DELETE = re.compile(r'DELETE FROM ("\w+")(?: WHERE (.*))?', re.DOTALL)
_UPDATE = re.compile(r'UPDATE ("\w+") SET (.*?)(?: WHERE (.*))?', re.DOTALL)
_QUALIFIED = re.compile(r'"\w+"\.("\w+")')
#: What SQLAlchemy declares, and ClickHouse has no words for.
_NO_CONSTRAINT = re.compile(r",?\s*(?:PRIMARY KEY|CHECK) \([^()]*\)")


class _Cursor:
    description: Any = None
    rowcount = -1
    lastrowid = None
    arraysize = 1

    def __init__(self, server: ClickhouseServer) -> None:
        self._server = server
        self._rows: list[Any] = []

    def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        text, given = with_types(_changed(statement), values or {})
        code, answer = self._server.ask(text, "TabSeparated", _escaped(given))
        if code != 200:
            raise RuntimeError(answer.decode(errors="replace"))

    def executemany(self, statement: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.execute(statement, row)

    def fetchall(self) -> list[Any]:
        return self._rows

    def close(self) -> None:
        """Nothing is open."""


class _Connection:
    def __init__(self, server: ClickhouseServer) -> None:
        self._server = server

    def cursor(self) -> _Cursor:
        return _Cursor(self._server)

    def commit(self) -> None:
        """Each statement is one."""

    rollback = close = commit


class _Dbapi:
    paramstyle = "named"
    Error = RuntimeError


class _Dialect(ClickhouseDialect):
    supports_statement_cache = True
    supports_default_values = False
    postfetch_lastrowid = False

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Dbapi

    def initialize(self, connection: sa.Connection) -> None:
        """Nothing is asked."""

    def has_table(self, *_: Any, **__: Any) -> bool:
        return False


sa.dialects.registry.register("clickhouse.tests", __name__, "_Dialect")


def clickhouse_engine(server: ClickhouseServer) -> sa.Engine:
    """An engine that writes; it reads no rows."""
    return sa.create_engine(
        "clickhouse+tests://",
        poolclass=sa.NullPool,
        enable_from_linting=False,
        creator=lambda: _Connection(server),
    )


def _changed(statement: str) -> str:
    """The statement as ClickHouse has it."""
    if statement.lstrip().startswith("CREATE TABLE"):
        return _create(statement)
    if found := _DELETE.fullmatch(statement):
        change = f"DELETE WHERE {found[2] or '1'}"
    elif found := _UPDATE.fullmatch(statement):
        change = f"UPDATE {found[2]} WHERE {found[3] or '1'}"
    else:
        return statement
    changed = _QUALIFIED.sub(r"\1", change)
    return f"ALTER TABLE {found[1]} {changed} SETTINGS mutations_sync = 1"


def _create(statement: str) -> str:
    lines = []
    for line in _NO_CONSTRAINT.sub("", statement).splitlines():
        column = re.fullmatch(r'\s*("\w+") (.*?)( NOT NULL)?(,?)\s*', line)
        if column is None:
            lines.append(line)
        else:
            kind = column[2] if column[3] else f"Nullable({column[2]})"
            lines.append(f"{column[1]} {kind}{column[4]}")
    return "\n".join(lines).rstrip().removesuffix(",") + " ENGINE = MergeTree ORDER BY tuple()"


def _escaped(given: dict[str, str | bytes]) -> dict[str, str]:
    from clickhouse_connect.driver.binding import format_bind_value

    return {name: format_bind_value(value) for name, value in given.items()}
