"""Opening a SQLite file for reading: a missing one is not made, and bad ones are named.

A file in WAL mode wants a ``-wal`` and a ``-shm`` beside it, also for reading. Where no user may
write, as on a read-only medium, it is opened as immutable if there is no ``-wal``: then the file
holds all there is. SQLite does not watch for writers then, so `OpenedFile.check` compares the file
with its first state at the end. (https://sqlite.org/wal.html#readonly)

Nothing but SQLite opens the file here. Closing any descriptor of it ends the locks of all other
connections of the process, and the next program that leaves the database deletes the log that they
write to. (https://sqlite.org/howtocorrupt.html, section 2.2)
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from waybill.infra.sources.errors import SourceError, SourceRejected, SourceUnavailable, by_driver

#: How long a reader waits where a writer can block it: only outside WAL mode.
_BUSY_SECONDS = 15.0

#: Modes of a URI that would make a missing file.
_CREATING = {None, "rwc"}

#: What SQLite answers where it may not make the files beside a database.
_NO_SIDE_FILES = ("SQLITE_CANTOPEN", "SQLITE_READONLY")


class OpenedFile(sqlite3.Connection):
    """A connection of Python's driver that knows whether its file may change unseen."""

    #: The file and its state when it was opened; None where SQLite itself holds writers off.
    unwatched: tuple[Path, tuple[int, int, int]] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._compared_by: set[str] = set()

    def stand_in(self, collation: str) -> None:
        """Let statements name a `collation` of another program, as long as nothing uses it.

        SQLite wants it for any statement about a column that has it. An index is in its order
        already, so rows may even come sorted by it.
        """
        compared_by = self._compared_by

        def note(_one: str, _two: str) -> int:
            compared_by.add(collation)
            return 0

        self.create_collation(collation, note)

    def check(self) -> None:
        """Make sure that what was read is what the file holds.

        Raises:
            SourceRejected: rows were compared by a collation that is not here.
            SourceUnavailable: somebody wrote to a file that was opened as immutable; the rows
                may be of several moments.
        """
        if self._compared_by:
            raise SourceRejected(
                "The query compares or sorts by a collation of another program, "
                f"{', '.join(sorted(self._compared_by))}: say COLLATE BINARY there."
            )
        if self.unwatched is not None and _state(self.unwatched[0]) != self.unwatched[1]:
            raise SourceUnavailable(f"{_shown(self.unwatched[0])} was changed while it was read.")


class SqliteFile:
    """A SQLite database by its URL, in any spelling of the driver's."""

    def __init__(self, url: sa.URL) -> None:
        dialect = SQLiteDialect_pysqlite()
        (database, *_), options = dialect.create_connect_args(url.set(drivername="sqlite+pysqlite"))
        self._path: Path | None = None
        if options.get("uri"):
            self._uri = self._own_uri(database)
        elif database == ":memory:":
            self._uri = database
        else:
            self._path = Path(database).absolute()
            self._uri = f"{self._path.as_uri()}?mode=ro"
        # The driver starts no transactions of its own, and `cancel` comes from another thread.
        self._options: dict[str, Any] = {
            "timeout": _BUSY_SECONDS,
            **options,
            "uri": True,
            "isolation_level": None,
            # Else the driver takes declared types its own way, and stops at the first odd value.
            "detect_types": 0,
            "check_same_thread": False,
            "factory": OpenedFile,
        }

    def _own_uri(self, database: str) -> str:
        """The user's URI, without leave to make a file."""
        name, _, query = database.removeprefix("file:").partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        if name == ":memory:" or options.get("mode") == "memory" or not name:
            return database
        if name.startswith("//"):
            # An authority, which may only be empty or localhost.
            name = name.removeprefix("//").removeprefix("localhost")
        self._path = Path(unquote(name)).absolute()
        if options.get("mode") in _CREATING:
            options["mode"] = "ro"
        return f"file:{quote(str(self._path))}?{urlencode(options)}"

    def open(self) -> sqlite3.Connection:
        """A new connection, with which the file has been read once.

        Raises:
            SourceRejected: no such file, no database, or no right to read it.
            SourceUnavailable: it is locked, or cannot be read just now.
        """
        if self._path is not None:
            self._check_readable(self._path)
        try:
            return self._connected(self._uri)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "")
            if self._path is None:
                raise by_driver(error) from None
            if not code.startswith(_NO_SIDE_FILES):
                raise _named(self._path, code, by_driver(error)) from None
        return self._immutable(self._path, code)

    def _connected(self, uri: str) -> OpenedFile:
        connection: OpenedFile = sqlite3.connect(uri, **self._options)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _immutable(self, path: Path, code: str) -> OpenedFile:
        if _has_content(Path(f"{path}-journal")):
            raise SourceUnavailable(
                f"{_shown(path)} has to be repaired after a writer that was stopped: "
                f"open it once with sqlite3, with the right to write. ({code})"
            )
        if _has_content(Path(f"{path}-wal")):
            raise SourceUnavailable(
                f"{_shown(path)} has a write-ahead log, and its directory may not be written to: "
                f"give that right, or let a writer run PRAGMA wal_checkpoint. ({code})"
            )
        state = _state(path)
        try:
            connection = self._connected(f"{self._uri}&immutable=1")
        except sqlite3.Error as error:
            known = getattr(error, "sqlite_errorname", "")
            raise _named(path, known, by_driver(error)) from None
        connection.unwatched = (path, state)
        return connection

    @staticmethod
    def _check_readable(path: Path) -> None:
        if path.is_dir():
            raise SourceRejected(f"{_shown(path)} is a directory, and no SQLite file.")
        try:
            path.stat()
        except FileNotFoundError:
            raise SourceRejected(
                f"There is no SQLite file {_shown(path)}. "
                "For the sample shop in the configured database, run `waybill sample`."
            ) from None
        except OSError as error:
            reason = error.strerror or "no reason given"
            raise SourceRejected(f"{_shown(path)} cannot be read: {reason}.") from None
        if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            reason = os.strerror(errno.EACCES)
            raise SourceRejected(f"{_shown(path)} cannot be read: {reason}.")


def _named(path: Path, code: str, otherwise: SourceError) -> SourceError:
    if code == "SQLITE_NOTADB":
        return SourceRejected(f"{_shown(path)} is no SQLite database, or is encrypted. ({code})")
    if code.startswith("SQLITE_CORRUPT"):
        return SourceRejected(f"{_shown(path)} is damaged. ({code})")
    if code.startswith("SQLITE_BUSY"):
        return SourceUnavailable(f"Another program has locked {_shown(path)}. ({code})")
    return otherwise


def _shown(path: Path) -> str:
    # Names may hold bytes that are no UTF-8.
    return os.fsencode(path).decode(errors="backslashreplace")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
