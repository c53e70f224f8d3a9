"""A DuckDB connection as SQLAlchemy wants one: cursors that share their connection's transaction.

DuckDB's own ``cursor()`` is another connection, with a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import duckdb


class SharedCursor:
    """A cursor of PEP 249 on the one connection; holds all rows of its last result.

    DuckDB runs nothing else on a connection that has a result to be fetched. What is asked here is
    names of tables and columns; rows are exported by another way.
    """

    arraysize = 1
    rowcount = -1
    lastrowid = None

    def __init__(self, driver: duckdb.DuckDBPyConnection) -> None:
        self._driver = driver
        self._rows: Iterator[Any] = iter(())
        self.description: Any = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._driver.execute(statement, list(parameters))
        self.description = self._driver.description
        self._rows = iter(self._driver.fetchall())

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows."""
        for row in parameters:
            self.execute(statement, row)

    def fetchone(self) -> Any:
        """The next row; None at the end."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        return list(islice(self._rows, size or self.arraysize))

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        return list(self._rows)

    def close(self) -> None:
        """Forget the result; the connection goes on."""
        self._rows = iter(())


class SharedConnection:
    """A connection of PEP 249; `release` closes the driver's."""

    def __init__(
        self,
        driver: duckdb.DuckDBPyConnection,
        release: Callable[[duckdb.DuckDBPyConnection], None],
    ) -> None:
        self.driver = driver
        self._release = release

    def cursor(self) -> SharedCursor:
        """A cursor in the same transaction."""
        return SharedCursor(self.driver)

    def commit(self) -> None:
        """End the transaction that `DuckdbDialect.do_begin` began."""
        self.driver.commit()

    def rollback(self) -> None:
        """End the transaction, if there is one."""
        with suppress(duckdb.TransactionException):
            self.driver.rollback()

    def close(self) -> None:
        """Close the connection."""
        self._release(self.driver)
