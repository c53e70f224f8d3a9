"""The DuckDB instances of this process: one for each file, shared by all who read it.

Two instances of one file in one process would undo each other's lock on it as soon as one closes:
that is what POSIX locks are like. So the first reader opens the file, the others get connections to
the same instance, and the last one closes it.

An instance can read its database and the folders and files that its URL allows, and nothing else:
no other file, no network, no extension that is not built in, no variable of this program.
(https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview)
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from waybill.infra.sources.duckdb.errors import by_duckdb, by_opening
from waybill.infra.sources.duckdb.url_options import DuckdbOptions

_NEVER: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@dataclass(slots=True)
class _Instance:
    base: duckdb.DuckDBPyConnection
    readers: int = 0


class Instances:
    """Opens each database once. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[DuckdbOptions, _Instance] = {}

    def connect(self, options: DuckdbOptions) -> duckdb.DuckDBPyConnection:
        """A connection of its own, in UTC, to be given back to `close`.

        Raises:
            SourceUnavailable: no such file, none of DuckDB's, or one that another process writes.
        """
        with self._lock:
            instance = self._open.get(options)
            if instance is None:
                instance = self._open[options] = _Instance(_opened(options))
            instance.readers += 1
            connection = instance.base.cursor()
        try:
            # Timestamps with time zone inside a query must not depend on who runs it.
            connection.execute("SET TimeZone = 'UTC'")
            # It draws on standard output, where a file may go.
            connection.execute("SET enable_progress_bar = false")
        except duckdb.Error as error:
            self.close(options, connection)
            raise by_duckdb(error) from None
        return connection

    def close(self, options: DuckdbOptions, connection: duckdb.DuckDBPyConnection) -> None:
        """Close a connection of `connect`; the last one closes the file."""
        with self._lock:
            connection.close()
            instance = self._open[options]
            instance.readers -= 1
            if not instance.readers:
                del self._open[options]
                instance.base.close()


def _opened(options: DuckdbOptions) -> duckdb.DuckDBPyConnection:
    config = {**_NEVER, "memory_limit": options.memory_limit}
    if options.threads is not None:
        config["threads"] = str(options.threads)
    try:
        base = duckdb.connect(
            options.path or ":memory:", read_only=options.path is not None, config=config
        )
    except duckdb.Error as error:
        raise by_opening(error, options.path) from None
    try:
        # Made when a query first needs it, removed with the instance: not beside the file.
        spill = f"{tempfile.gettempdir()}/waybill-duckdb-{secrets.token_hex(8)}"
        base.execute(f"SET temp_directory = {_text(spill)}")
        base.execute(f"SET allowed_directories = {_texts(options.folders)}")
        base.execute(f"SET allowed_paths = {_texts(options.files)}")
        # From here on it is final: DuckDB refuses to widen any of this again.
        base.execute("SET enable_external_access = false")
    except duckdb.Error as error:
        base.close()
        raise by_duckdb(error) from None
    return base


def _texts(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


#: Of this process.
INSTANCES = Instances()
