"""Generated tables of every declarable type, by every way and in every format, before readers that
are not ours: each value is the one that the database's own client prints, or it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openpyxl.utils.escape import unescape

from tests.judges.differential.declared import Kind
from tests.judges.differential.files import DATABASES, FILES, WAYS, Made, content, make
from tests.judges.differential.readers import IN_JAVASCRIPT, READERS, Rows, by_javascript
from tests.judges.differential.values import Document, Found, find, find_loosely, is_of, is_shown
from tests.judges.libreoffice import Cell, Sheet, open_all
from tests.judges.openxml_audit import errors

pytestmark = pytest.mark.slow

#: Every file that a reader opens, by its name; archives hold the same files once more.
READ_HERE = [
    (name, reader)
    for name, (format_name, _) in FILES.items()
    for reader in READERS.get(format_name, {})
]
READ_THERE = [
    (name, reader)
    for name, (format_name, _) in FILES.items()
    for reader in IN_JAVASCRIPT.get(format_name, ())
]

Tidy = Callable[[Kind, str | None, Any], Any]
Find = Callable[[Kind, str | None, Any], Found]

#: Formats with a formula guard, whose apostrophe is counted.
_GUARDED = ("csv", "csv.gz")
#: What is a string in JSON anyway, and what is text in CSV anyway.
_MOMENTS = {Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.INSTANT, Kind.INTERVAL}
_UNQUOTED = {*Kind} - {Kind.BYTES}

each_database = pytest.mark.parametrize("database", DATABASES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("differential")


@pytest.fixture(scope="module")
def made(postgres_server, mariadb_server, folder: Path) -> Iterator[dict[str, Made]]:
    """Each database with its table and its files."""
    with ExitStack() as stack:
        urls = {
            "postgresql": stack.enter_context(postgres_server.database()),
            "mariadb": stack.enter_context(mariadb_server.database()),
            "sqlite": f"sqlite:///{folder}/judged.db",
        }
        yield {database: make(database, urls[database], folder) for database in DATABASES}


@pytest.fixture(scope="module")
def in_javascript(made: dict[str, Made]) -> dict[tuple[str, str, str], Rows]:
    """What one process of Node found in all files, by database, file and reader."""
    names = [(database, *read) for database in DATABASES for read in READ_THERE]
    found = by_javascript([(reader, made[db].paths[name]) for db, name, reader in names])
    return dict(zip(names, found, strict=True))


@each_database
@pytest.mark.parametrize(("name", "reader"), READ_HERE)
def test_each_value_is_the_one_the_client_prints_or_is_counted(
    made: dict[str, Made], database: str, name: str, reader: str
) -> None:
    table = made[database]
    format_name, _ = FILES[name]
    rows = READERS[format_name][reader](table.paths[name], table.kinds)
    tidy = {"calamine": _empty_is_none, "python": _null_of_json}.get(reader, _as_found)
    as_doubles = (format_name, reader) == ("jsonl.gz", "duckdb")
    carried = _carried(table, rows, tidy, format_name, find_loosely if as_doubles else find)
    if reader == next(iter(READERS[format_name])):
        assert carried + Counter(table.made_text) == _counted(table, name)


@each_database
@pytest.mark.parametrize(("name", "reader"), READ_THERE)
def test_readers_in_javascript_find_each_value(
    made: dict[str, Made], in_javascript: Any, database: str, name: str, reader: str
) -> None:
    rows = in_javascript[database, name, reader]
    tidy = _undone if reader == "exceljs" else _as_found
    same = find_loosely if reader == "hyparquet" else find
    _carried(made[database], rows, tidy, FILES[name][0], same)


def _carried(
    table: Made, rows: Rows, tidy: Tidy, format_name: str, same: Find = find
) -> Counter[str]:
    """By column, how many values are there as text of another type. All of them are there."""
    assert [int(row[0]) for row in rows] == list(range(len(table.printed)))
    carried: Counter[str] = Counter()
    wrong = []
    for line, (found_row, printed_row) in enumerate(zip(rows, table.printed, strict=True)):
        cells = zip(table.columns.items(), found_row[1:], printed_row, strict=True)
        for number, ((sql, column), found, printed) in enumerate(cells):
            value = tidy(column.kind, printed, found)
            how = same(column.kind, printed, value)
            if how is Found.WRONG and format_name in _GUARDED and str(value).startswith("'"):
                how = same(column.kind, printed, value[1:])
                carried[f"c{number}"] += 1
            if how is Found.CARRIED:
                carried[f"c{number}"] += not _is_usual_text(format_name, column.kind, printed)
            if how is Found.WRONG:
                wrong.append((sql, line, printed, found))
    assert wrong == []
    return +carried


def _is_usual_text(format_name: str, kind: Kind, printed: str) -> bool:
    """Whether text is what a format always has for a value, so that nothing is counted."""
    if kind is Kind.JSON:
        return format_name in {"xlsx", *_GUARDED}
    usual = {"xlsx": set(), "parquet": set(), "jsonl.gz": _MOMENTS}.get(format_name, _UNQUOTED)
    return kind in usual and is_of(kind, printed)


def _counted(table: Made, name: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for warning in table.warnings[name]:
        counted[warning["column"]] += warning["count"]
    return counted


def _as_found(kind: Kind, printed: str | None, found: Any) -> Any:
    return found


def _empty_is_none(kind: Kind, printed: str | None, found: Any) -> Any:
    """What is empty and an empty text are the same to calamine."""
    return printed if found == "" and not printed else found


def _null_of_json(kind: Kind, printed: str | None, found: Any) -> Any:
    """JSON's own null is null in JSON lines, too."""
    return Document(None) if kind is Kind.JSON and printed == "null" and found is None else found


def _undone(kind: Kind, printed: str | None, found: Any) -> Any:
    """ExcelJS leaves escapes as they are, and takes an empty text for none."""
    if found is None and printed == "":
        return ""
    return unescape(found) if isinstance(found, str) else found


@each_database
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_each_way_writes_the_same_bytes(
    made: dict[str, Made], database: str, name: str, way: str, tmp_path: Path
) -> None:
    table = made[database]
    path = tmp_path / name
    warnings = WAYS[way](table, name, path)
    assert content(path.read_bytes()) == content(table.paths[name].read_bytes())
    assert warnings == table.warnings[name]


@pytest.fixture(scope="module")
def in_libreoffice(made: dict[str, Made], folder: Path) -> dict[str, Sheet]:
    """The sheet of each workbook, by database."""
    paths = [table.paths["xlsx"] for table in made.values()]
    books = open_all(paths, folder)
    return {database: next(iter(books[database].values())) for database in made}


@each_database
def test_libreoffice_shows_each_value_as_it_is(
    made: dict[str, Made], in_libreoffice: dict[str, Sheet], database: str
) -> None:
    table, sheet = made[database], in_libreoffice[database]
    wrong = []
    for line, printed_row in enumerate(table.printed):
        for number, (sql, column) in enumerate(table.columns.items()):
            cell, printed = sheet.get((line + 1, number + 1)), printed_row[number]
            if not _shows(column.kind, printed, cell):
                wrong.append((sql, line, printed, cell))
    assert wrong == []


def _shows(kind: Kind, printed: str | None, cell: Cell | None) -> bool:
    if cell is None or not printed:
        # An empty text is an empty cell to OpenDocument.
        return cell is None and not printed
    if cell.kind == "string":
        # A tab is lost where a text has several lines.
        return kind is not Kind.TEXT or cell.value in {printed, printed.replace("\t", "")}
    return is_shown(kind, printed, cell.shown)


def test_the_validator_finds_no_error(made: dict[str, Made], tmp_path: Path) -> None:
    books = {database: table.paths["xlsx"].read_bytes() for database, table in made.items()}
    assert errors(books, tmp_path / "books") == ""


@each_database
@pytest.mark.parametrize(("archive", "name"), [("csv.zip", "csv"), ("xlsx.zip", "xlsx")])
def test_an_archive_holds_the_same_rows(
    made: dict[str, Made], database: str, archive: str, name: str
) -> None:
    found = content(made[database].paths[archive].read_bytes())
    alone = content(made[database].paths[name].read_bytes())
    assert list(found.values()) == list(alone.values())
    assert found
