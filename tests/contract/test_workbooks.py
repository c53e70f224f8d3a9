"""Several datasets in one workbook: one state of the database, also while others write to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from tests.support.source_databases import (
    EXCLUSIVE_KINDS,
    KINDS,
    NUMBERS,
    NUMBERS_ROWS,
    ORDERS,
    SHARED_KINDS,
    SourceDatabase,
    source_database,
)
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import ExportCancelled, ExportRejected, ExportStopped
from waybill.exporter.ports import Sink, SnapshotSource
from waybill.exporter.run import ExportProgress, ExportResult
from waybill.exporter.stop import StopToken
from waybill.exporter.workbook_run import SheetQuery, run_workbook
from waybill.storage.memory import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.pysqlite does .not. support Decimal")

#: Without "any database", which promises no snapshot.
_READ_TOGETHER = (SHARED_KINDS[0], *SHARED_KINDS[2:], *EXCLUSIVE_KINDS)
_WRITTEN_MEANWHILE = (SHARED_KINDS[0], *SHARED_KINDS[2:])


@dataclass
class _Watched:
    """A sink that calls `before` each write."""

    sink: Sink
    before: Callable[[], None]

    def write(self, data: bytes) -> None:
        self.before()
        self.sink.write(data)

    def expect(self, size_bytes: int, crc32: int) -> None:
        self.sink.expect(size_bytes, crc32)


@contextmanager
def _database(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, folders.mktemp("source")) as database:
        rows = [{"id": number, "name": f"before {number}"} for number in range(1, 4)]
        with database.engine.begin() as connection:
            connection.execute(ORDERS.insert(), rows)
        yield database


@pytest.fixture(scope="module", params=_READ_TOGETHER)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with _database(request, tmp_path_factory) as database:
        yield database


def _sheets(**orders: Any) -> list[SheetQuery]:
    numbers = sa.select(NUMBERS.c.n, NUMBERS.c.note).order_by(NUMBERS.c.n)
    names: Query = sa.select(ORDERS.c.id, ORDERS.c.name).order_by(ORDERS.c.id)
    return [
        SheetQuery(numbers, Layout(title="Numbers")),
        SheetQuery(names, Layout(title="Orders", **orders)),
    ]


def _run(
    database: SourceDatabase, sheets: list[SheetQuery], **more: Any
) -> tuple[ExportResult, Any]:
    store = MemoryStore()
    result = run_workbook(
        database.source,
        sheets,
        Layout(title="Both"),
        lambda _ahead: store.open_upload("book", content_type="x"),
        **more,
    )
    return result, openpyxl.load_workbook(io.BytesIO(store.read("book")), read_only=True)


def _rows(book: Any, sheet: str) -> list[tuple[Any, ...]]:
    return list(book[sheet].iter_rows(values_only=True))


def test_each_dataset_has_its_rows_on_a_sheet_of_its_own(database: SourceDatabase) -> None:
    result, book = _run(database, _sheets(columns={"name": Column(label="Name")}))

    assert book.sheetnames == ["Numbers", "Orders"]
    numbers, orders = _rows(book, "Numbers"), _rows(book, "Orders")
    assert [row[0] for row in numbers[1:]] == list(range(NUMBERS_ROWS))
    assert orders[0] == ("id", "Name")
    assert result.rows_source == result.rows_written == len(numbers) + len(orders) - 2


def test_the_same_snapshot_gives_the_same_bytes(database: SourceDatabase) -> None:
    assert _run(database, _sheets())[0].sha256 == _run(database, _sheets())[0].sha256


def test_a_stop_ends_the_statement_and_leaves_no_connection(database: SourceDatabase) -> None:
    stop = StopToken()

    @contextmanager
    def sink(_ahead: object) -> Iterator[Sink]:
        stop.request(ExportCancelled())
        with MemoryStore().open_upload("never", content_type="x") as upload:
            yield upload

    with pytest.raises(ExportStopped):
        run_workbook(database.source, _sheets(), Layout(), sink, stop=stop)
    assert database.is_released()


@pytest.mark.parametrize("database", _WRITTEN_MEANWHILE, indirect=True)
def test_a_writer_between_two_sheets_is_in_none_of_them(database: SourceDatabase) -> None:
    """Both tables change in one transaction while the rows of the first sheet are read."""
    store, progress = MemoryStore(), ExportProgress()
    written: list[int] = []

    def write_both() -> None:
        if progress.rows_done and not written:
            written.append(progress.rows_done)
            database.execute(
                ORDERS.update().values(name="after"),
                ORDERS.insert().values(id=99, name="after"),
                NUMBERS.update().values(note="after"),
            )

    @contextmanager
    def sink(_ahead: object) -> Iterator[Sink]:
        with store.open_upload("book", content_type="x") as upload:
            yield _Watched(upload, write_both)

    result = run_workbook(database.source, _sheets(), Layout(title="Both"), sink, progress=progress)

    book = openpyxl.load_workbook(io.BytesIO(store.read("book")), read_only=True)
    assert 0 < written[0] < NUMBERS_ROWS
    assert [row[1] for row in _rows(book, "Orders")[1:]] == [f"before {n}" for n in range(1, 4)]
    assert not any("after" in row for row in _rows(book, "Numbers"))
    assert result.rows_written == NUMBERS_ROWS + 3
    database.execute(ORDERS.delete().where(ORDERS.c.id == 99))


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[5]])
def test_without_a_snapshot_for_several_queries_there_is_no_workbook(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with source_database(kind, request, tmp_path_factory.mktemp("source")) as database:
        assert isinstance(database.source, SnapshotSource)
        with pytest.raises(ExportRejected, match="one by one"):
            _run(database, _sheets())
