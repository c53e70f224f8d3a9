"""What a DuckDB URL says: the file, the folders and files that queries may read, and limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest

_OPTIONS = ("files", "memory_limit", "threads")

_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)

#: By default DuckDB takes 80 % of the machine, which it shares with the exports. A query that
#: needs more (a large sort, a join) uses temporary files.
_MEMORY_LIMIT = "1GB"

_MAX_THREADS = 256


@dataclass(frozen=True, slots=True)
class DuckdbOptions:
    """Where rows are read from, and with how much."""

    #: None: no database, just files.
    path: str | None
    folders: tuple[str, ...]
    files: tuple[str, ...]
    memory_limit: str
    #: None: one for each processor.
    threads: int | None


def duckdb_options(url: sa.URL) -> DuckdbOptions:
    """The options of a URL such as ``duckdb:////data/shop.duckdb?files=/data/lake``.

    Raises:
        InvalidRequest: a host, an unknown option, a value it cannot have, or no such file.
    """
    if url.host or url.username:
        raise InvalidRequest(
            "A DuckDB URL names no host: duckdb:///shop.duckdb, or duckdb:////data/shop.duckdb"
            " for an absolute path."
        )
    for name in url.query:
        if name not in _OPTIONS:
            near = get_close_matches(name, _OPTIONS, n=1)
            remedy = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_OPTIONS)}."
            raise InvalidRequest(
                f"The DuckDB URL has an option that is not known: {name!r}{remedy}"
            )
    in_memory = url.database in {None, "", ":memory:"}
    places = [Path(text).absolute() for text in _all(url, "files")]
    for place in places:
        if not place.exists():
            raise InvalidRequest("A folder or file that the DuckDB URL allows is not there.")
    return DuckdbOptions(
        None if in_memory else str(Path(str(url.database)).absolute()),
        tuple(_spellings([place for place in places if place.is_dir()])),
        tuple(_spellings([place for place in places if not place.is_dir()])),
        _memory_limit(url),
        _threads(url),
    )


def _spellings(places: Sequence[Path]) -> list[str]:
    """Each path as it was written and as it really is: a query may use both."""
    return list(dict.fromkeys(str(path) for place in places for path in (place, place.resolve())))


def _all(url: sa.URL, name: str) -> tuple[str, ...]:
    value = url.query.get(name, ())
    return (value,) if isinstance(value, str) else value


def _last(url: sa.URL, name: str) -> str | None:
    return next(reversed(_all(url, name)), None)


def _memory_limit(url: sa.URL) -> str:
    text = _last(url, "memory_limit") or _MEMORY_LIMIT
    if not _SIZE.fullmatch(text):
        raise InvalidRequest("memory_limit of the DuckDB URL has to look like 500MB or 2GB.")
    return text


def _threads(url: sa.URL) -> int | None:
    text = _last(url, "threads")
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _MAX_THREADS:
        raise InvalidRequest("threads of the DuckDB URL has to be a number from 1 on.")
    return int(text)
