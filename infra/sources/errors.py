"""Errors of reading rows, and whether trying again may help.

::

    WaybillError
    └── SourceError
        ├── SourceUnavailable   retried: a lock, a time limit, a connection lost while reading
        │   ├── SourceAway      no connection can be made
    │   ├── SnapshotLost    no session holds the snapshot that another one is to read
        │   └── ReadConflict    the rows changed under the read, on a standby most often
        ├── SourceRejected      (also ExportRejected) never retried: the query itself is bad
        └── ReadCancelled       `RowStream.cancel` was called

No text holds SQL, a parameter, an address or a password, and no driver error is chained:
drivers quote the statement and its values, and a logged traceback would carry them.
The SQLSTATE or the driver's own code is kept, since that is enough to look the cause up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy.exc as sa_exc

from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.faults import Fault
from waybill.infra.config.database_refusals import refusal_reason


class SourceError(WaybillError):
    """The rows could not be read from the database."""

    code = "source_error"


class SourceUnavailable(SourceError):
    """The database cannot be read just now."""

    code = "source_unavailable"


class SourceAway(SourceUnavailable):
    """No connection to the source database can be made."""

    code = "source_away"
    fault = Fault.SOURCE


class SnapshotLost(SourceUnavailable):
    """No session holds the snapshot any more, or not one of this server."""


class ReadConflict(SourceUnavailable):
    """The database ended the read because the rows changed meanwhile; a new try may pass."""

    code = "read_conflict"


class SourceRejected(SourceError, ExportRejected):
    """The database refuses this query, and would refuse it again."""

    code = "source_rejected"
    fault = Fault.TASK


class ReadCancelled(SourceError):
    """Reading was cancelled before the last row."""

    code = "read_cancelled"


_REFUSED = {
    "22021": "A text holds bytes that are not valid in its encoding, UTF-8.",
    "22P05": "A text holds a character that UTF-8 does not have.",
    "25006": "The query tries to change data; an export only reads.",
    "42501": "The database account may not read what this query asks for.",
    "42601": "The query is not one valid statement that returns rows.",
    "42703": "The query names a column that does not exist.",
    "42P01": "The query names a table that does not exist.",
    "42S02": "The query names a table that does not exist.",
    "42S21": "The query has two columns of the same name.",
    "42S22": "The query names a column that does not exist.",
}

_UNAVAILABLE = {
    "25P03": "The database ended the session because it stood still for too long.",
    "28000": "The database refuses the account of the source URL, or its password.",
    "28P01": "The database refuses the password of the source URL.",
    "3D000": "The source URL names a database that does not exist.",
    "55P03": "A table of this query is locked by another session.",
    "57014": "The database ended the query at its time limit.",
    "57P01": "The database is shutting down, or ended the connection.",
}

#: Serialization failure: also what a standby answers when it has to apply a change to rows that
#: an export still reads. (PostgreSQL manual, 26.4.2 "Handling Query Conflicts".)
_CONFLICT = "40001"

#: Classes that name a fault of the query (SQLSTATE, PostgreSQL manual, appendix A): feature
#: not supported, cardinality, bad data, a constraint, transaction state, routine exceptions,
#: syntax or access rule, check option, program limit, raised by a function.
_REFUSED_CLASSES = frozenset(
    {"0A", "21", "22", "23", "25", "2F", "38", "39", "42", "44", "54", "P0"}
)

#: SQLite has one exception class for nearly everything; these result codes are about the
#: query: a name or syntax error, no right, an attempt to write, a value out of bounds.
_SQLITE_REFUSED = (
    "SQLITE_AUTH",
    "SQLITE_ERROR",
    "SQLITE_MISMATCH",
    "SQLITE_RANGE",
    "SQLITE_READONLY",
    "SQLITE_TOOBIG",
)

#: The words of SQLite for what is not there. Names that the query wrote are not repeated; modules
#: and collations are named by the file.
_SQLITE_MISSING = re.compile(
    r"no such (table|column|function|module|collation sequence): ([^'\s]{1,200})"
)
_SQLITE_MISSING_TEXTS = {
    "table": "The query names a table that does not exist.",
    "column": "The query names a column that does not exist.",
    "function": "The query calls a function that SQLite does not have here.",
    "module": "A virtual table needs an SQLite extension that is not here: {}.",
    "collation sequence": "The query needs a collation that SQLite does not have here: {}.",
}

#: The classes every Python driver has for a query that is wrong (PEP 249, "Exceptions").
_PEP249_REFUSED = frozenset({"DataError", "NotSupportedError", "ProgrammingError"})


#: What MySQL and its client say of a connection, by number.
_MYSQL_UNAVAILABLE = {
    1040: "The source database has no free connection.",
    1044: "The user of the source URL may not use this database.",
    1045: "The database refuses the account of the source URL, or its password.",
    1049: "The source URL names a database that does not exist.",
    2003: "Nothing listens at the address of the source URL, or its host is not known.",
    2013: "The connection to the source database was lost.",
    2026: "The source database has no TLS, which the source URL demands (ssl-mode).",
}


def no_connection(said: str) -> SourceError:
    """The error for what PostgreSQL's client said of a connection that it could not open."""
    known = refusal_reason(said, database="The source database", url="the source URL")
    # Some sentences begin with the URL.
    sentence = known and known[0].upper() + known[1:]
    return SourceUnavailable(sentence or "The connection to the source database failed.")


def by_sqlstate(state: str | None) -> SourceError:
    """The error for an SQLSTATE; without one the connection itself is what failed."""
    if state is None:
        return no_connection("")
    if state == _CONFLICT:
        return ReadConflict()
    if state in _UNAVAILABLE:
        return SourceUnavailable(_UNAVAILABLE[state])
    if state[:2] in _REFUSED_CLASSES:
        text = _REFUSED.get(state, "The database refuses this query.")
        return SourceRejected(f"{text} (SQLSTATE {state})")
    return SourceUnavailable(f"The database could not answer. (SQLSTATE {state})")


def by_driver(error: Exception) -> SourceError:
    """The error for whatever SQLAlchemy, or the driver below it, raised for a query."""
    cause = error.orig if isinstance(error, sa_exc.DBAPIError) else error
    if cause is None or isinstance(cause, sa_exc.SQLAlchemyError):
        return SourceRejected("The query cannot be written for this kind of database.")
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return by_sqlstate(state)
    name = getattr(cause, "sqlite_errorname", None)
    if name is not None:
        missing = _SQLITE_MISSING.fullmatch(str(cause))
        if missing is not None:
            return SourceRejected(
                f"{_SQLITE_MISSING_TEXTS[missing[1]].format(missing[2])} ({name})"
            )
        return _by_code(name, refused=name.startswith(_SQLITE_REFUSED))
    number = cause.args[0] if cause.args else None
    class_names = {base.__name__ for base in type(cause).__mro__}
    return _by_code(number, refused=bool(class_names & _PEP249_REFUSED))


@contextmanager
def connecting() -> Iterator[None]:
    """Around what comes before the query: no query can be at fault when that fails.

    While a query runs it may be: one that kills the server's process looks like a network that
    was cut.

    Raises:
        SourceAway: in place of any other `SourceUnavailable`.
    """
    try:
        yield
    except SourceUnavailable as error:
        raise SourceAway(error.message) from None


def no_common_snapshot() -> SourceError:
    """The error for several queries that this database cannot read as of one moment."""
    return SourceRejected(
        "This database has no snapshot that several queries can read, so no workbook of several"
        " datasets can be made of it. Export its datasets one by one."
    )


def _by_code(code: Any, *, refused: bool) -> SourceError:
    """A text with the driver's code when it is one, never with the driver's own words."""
    known = f" ({code})" if isinstance(code, int) or str(code).startswith("SQLITE_") else ""
    if code in _MYSQL_UNAVAILABLE:
        return SourceUnavailable(_MYSQL_UNAVAILABLE[code])
    if refused:
        return SourceRejected(f"The database refuses this query.{known}")
    return SourceUnavailable(f"The database could not answer.{known}")
