"""The rows of one SQLite query, about a thousand at once as long as no value is large.

SQLite itself is asked to refuse large values meanwhile, so no look at each of them is needed. At
the first one the query is run again in the same snapshot: the same statement of one connection
gives the same rows in the same order. Those that were delivered are passed over, and the others
are fetched few at a time.

The limit is SQLite's for all values of a connection, and some functions give null beyond it
(``printf``, measured). So it is set only where values come as they are stored: `may_be_limited`.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from waybill.infra.sources.rows.columns import NotAsDeclared

#: No value of the rows that are fetched together is larger. Those that fit a page of the file
#: are not looked at by SQLite, and few files have larger pages.
_LARGEST_BYTES = 8_192

#: Rows that are passed over at once; they may be of any size.
_PASSED_OVER = 32

#: What Python's driver says of a text that is not UTF-8. It has no code for it.
_NOT_UTF8 = "Could not decode to UTF-8"


#: Functions that give numbers, or one of their arguments as it is.
_PLAIN_FUNCTIONS = frozenset(
    {
        *("abs", "avg", "coalesce", "count", "glob", "ifnull", "instr", "julianday", "length"),
        *("like", "max", "min", "nullif", "round", "sum", "total", "typeof", "unicode"),
    }
)

#: What every generated column has in its declaration, and every virtual table. Both run code
#: of their own while they are read.
_COMPUTED = re.compile(r"\b(as|virtual)\b", re.IGNORECASE)


def may_be_limited(driver: sqlite3.Connection, functions: set[str]) -> bool:
    """Whether no value of a query that calls these `functions` is computed on the way."""
    if not functions <= _PLAIN_FUNCTIONS:
        return False
    tables = driver.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql NOT NULL")
    return not any(_COMPUTED.search(sql) for (sql,) in tables)


class SqliteRows:
    """A running query. One thread reads it; each call may take as long as the query does."""

    def __init__(
        self, driver: sqlite3.Connection, statement: str, values: Any, *, limited: bool
    ) -> None:
        """Run the query; `limited` as `may_be_limited` says."""
        self._driver, self._statement, self._values = driver, statement, values
        self._cursor: sqlite3.Cursor | None = None
        self._delivered = 0
        #: Whether all rows so far are small. If not any more, the others are for `begin_again`.
        self.is_limited = limited
        #: Whether a value was refused.
        self.is_cut_short = False
        self._usual = driver.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
        if limited:
            driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(_LARGEST_BYTES, self._usual))
        try:
            self._cursor = self._run()
        except sqlite3.DataError as error:
            self._cut_short(error)
        except BaseException:
            self._lift_limit()
            raise

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """Up to `rows` more; none at the end, and none where `is_cut_short` has become true.

        Raises:
            NotAsDeclared: a text is not UTF-8.
        """
        if self._cursor is None:
            return []
        try:
            fetched = self._cursor.fetchmany(rows)
        except sqlite3.DataError as error:
            self._cut_short(error)
            return []
        except sqlite3.OperationalError as error:
            if str(error).startswith(_NOT_UTF8):
                raise NotAsDeclared from None
            raise
        self._delivered += len(fetched)
        if not fetched:
            self.close()
        return fetched

    def begin_again(self) -> None:
        """Run the query again without a limit, up to the first row that was not delivered."""
        self.is_limited = self.is_cut_short = False
        cursor = self._run()
        left = self._delivered
        while left and (passed_over := cursor.fetchmany(min(left, _PASSED_OVER))):
            left -= len(passed_over)
        self._cursor = cursor

    def close(self) -> None:
        """End the query, and let later statements have large values."""
        self._lift_limit()
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _run(self) -> sqlite3.Cursor:
        return self._driver.execute(self._statement, self._values or ())

    def _cut_short(self, error: sqlite3.DataError) -> None:
        self.close()
        if not self.is_limited or error.sqlite_errorcode != sqlite3.SQLITE_TOOBIG:
            raise error
        self.is_cut_short = True

    def _lift_limit(self) -> None:
        self._driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._usual)
