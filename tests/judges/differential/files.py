"""The files of one generated table: every format, made by every way that there is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.corpus.case import ZONE
from tests.judges.differential import mariadb, postgres, sqlite
from tests.judges.differential.declared import Columns, Kind
from tests.support.attempts import run_attempt
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.api.cli.export import export
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

ROWS = 40
DATABASES = {"postgresql": postgres, "mariadb": mariadb, "sqlite": sqlite}

#: Files by name: a format, and for Parquet the profile.
FILES = {**{name: (name, "compatible") for name in FORMATS}, "small.parquet": ("parquet", "small")}

#: Of the command, beside those that are given.
_ARGUMENTS = ("name", "param", "table", "query", "csv_profile", "csv")

Warnings = list[dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """A database with the table ``judged``, and what was made of it."""

    url: str
    columns: Columns
    printed: list[list[str | None]]
    #: By column, how many values are made text because of others in it.
    made_text: Mapping[str, int]
    #: By the name of the file, what the command line made of ``--table``.
    paths: Mapping[str, Path]
    warnings: Mapping[str, Warnings]

    @property
    def kinds(self) -> Sequence[Kind]:
        """Of the columns behind ``id``."""
        return [column.kind for column in self.columns.values()]


def make(database: str, url: str, folder: Path) -> Made:
    """Fill the table, and export it in every format with ``--table``."""
    module = DATABASES[database]
    module.fill(url, ROWS)
    paths = {name: folder / f"{database}.{name}" for name in FILES}
    warnings = {
        name: by_command_line(path, url, *FILES[name], table="judged")
        for name, path in paths.items()
    }
    return Made(url, module.COLUMNS, module.printed(url), module.made_text(url), paths, warnings)


@contextmanager
def settings(home: Path, **changes: str) -> Iterator[None]:
    """The environment of one installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYBILL_HOME", str(home))
        patch.setenv("WAYBILL_TIMEZONE", ZONE.key)
        for name, value in changes.items():
            patch.setenv(name, value)
        yield


def by_command_line(
    path: Path, url: str, format_name: str, profile: str, **what: str | None
) -> Warnings:
    """Run ``waybill export`` in this process; what it says of the values it changed."""
    arguments: dict[str, Any] = dict.fromkeys(_ARGUMENTS) | what
    said = TextIOWrapper(BytesIO(), encoding="utf-8")
    with settings(path.parent, WAYBILL_PARQUET_PROFILE=profile), redirect_stdout(said):
        export(output=str(path), source=url, format_name=format_name, as_json=True, **arguments)
    warnings: Warnings = json.loads(said.buffer.getvalue())["warnings"]
    return warnings


def by_query(made: Made, name: str, path: Path) -> Warnings:
    """``--query``, with the whole table in it."""
    sql = "SELECT * FROM judged ORDER BY id;"
    return by_command_line(path, made.url, *FILES[name], query=sql)


def by_worker(made: Made, name: str, path: Path) -> Warnings:
    """A task with a dataset that names every column, run by a worker."""
    names = ["id", *(f"c{number}" for number in range(len(made.columns)))]
    table = sa.table("judged", *map(sa.column, names))
    dataset = Dataset("judged", lambda _params, _user: sa.select(table).order_by(table.c.id))
    format_name, profile = FILES[name]
    folder, store = Path(f"{path}.tasks"), MemoryStore()
    folder.mkdir()
    with sqlite_tables(folder) as tasks:
        new = new_task(task_type="judged", format=format_name, params={}, filename=path.name)
        with settings(path.parent, WAYBILL_PARQUET_PROFILE=profile):
            task = run_attempt(tasks, store, open_source(made.url), dataset, ANN, new)
    assert (task.status, task.rows_source, task.rows_written) == ("SUCCESS", ROWS, ROWS), task
    path.write_bytes(store.read(str(task.object_key)))
    return list(task.warnings or [])


WAYS: Mapping[str, Callable[[Made, str, Path], Warnings]] = {
    "query": by_query,
    "worker": by_worker,
}


def content(data: bytes) -> dict[str, bytes]:
    """What is in a file apart from its title and its time: the parts with rows, or all of it."""
    if not data.startswith(b"PK"):
        return {"": data}
    with zipfile.ZipFile(BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    rows: dict[str, bytes] = {}
    for name, part in parts.items():
        if name.startswith("xl/worksheets/") or name in {"xl/sharedStrings.xml", "xl/styles.xml"}:
            rows[name] = part
        elif name.endswith((".csv", ".xlsx")):
            rows |= {name.rpartition(".")[2] + inner: raw for inner, raw in content(part).items()}
    return rows
