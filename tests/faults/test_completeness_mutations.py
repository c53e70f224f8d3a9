"""Complete or failed, never in between: whatever is lost, doubled, swapped or damaged anywhere
between the cursor and the store, the export fails and there is no object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.stored_keys import stored_keys
from tests.support.tampering import (
    MUTATIONS,
    Mutation,
    Tamper,
    TamperedSink,
    TamperedSource,
    TamperedStore,
    flip,
    leave,
    other_value,
    tamper_inside,
)
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats import jsonl as json_lines
from waybill.exporter.formats import parquet, text_rows
from waybill.exporter.formats.csv import csv_text
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.formats.xlsx import encode as xlsx
from waybill.exporter.formats.xlsx import row_renderer
from waybill.exporter.run import ExportResult, run_export
from waybill.infra.sources import open_source
from waybill.infra.sources.rows import chunks
from waybill.infra.sources.rows import columns as row_columns
from waybill.storage.errors import ChecksumMismatch

ROWS = 6_000
ORDERS = sa.table("orders", sa.column("id"), sa.column("city"), sa.column("note"))

#: Where things may go wrong, in the order in which rows pass.
PLACES = (
    "leaving the cursor",  # between the source and whoever reads its stream
    "entering the encoder",  # between the stream and the encoder
    "cut",  # between the cutting of batches and the threads that render
    "rendered",  # between these threads and whoever joins blocks to a file
    "leaving the encoder",  # between the encoder and the digest
    "entering the sink",  # between the digest and the sink
    "sent",  # between the cutting of parts and the store
    "kept",  # in the store, after it confirmed them
)

LAYOUTS = {
    **{name: (name, Layout()) for name in FORMATS},
    "xlsx by city": ("xlsx", Layout(sheet_by="city")),
}
CASES = [
    (name, place)
    for name in LAYOUTS
    for place in PLACES
    # Parquet is rendered by the thread that joins it.
    if (name, place) != ("parquet", "rendered")
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("orders") / "orders.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    cities = ["Berlin", "東京", "Łódź"]
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER, city TEXT, note TEXT)")
        connection.exec_driver_sql(
            "INSERT INTO orders VALUES (?, ?, ?)",
            [
                (
                    number,
                    cities[number * 3 // ROWS],
                    f'"{sha256(b"%d" % number).hexdigest()}"\n<row',
                )
                for number in range(ROWS)
            ],
        )
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place sees several things pass: batches of 500 rows, cuts of 700."""
    monkeypatch.setattr(chunks, "MAX_ROWS", 500)
    monkeypatch.setattr(row_columns, "MAX_ROWS", 500)
    monkeypatch.setattr(xlsx, "BLOCK_ROWS", 700)
    monkeypatch.setattr(text_rows, "ROWS_AT_ONCE", 700)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 700)


class Run:
    """One export with a mutation loose in one place."""

    def __init__(self, place: str, mutate: Mutation) -> None:
        self.tampers = defaultdict(lambda: Tamper(leave, []))
        self.tampers[place] = self.tamper = Tamper(mutate, [])
        self.store = TamperedStore(self.tampers["sent"], self.tampers["kept"])

    def export(self, database: str, case: str, *, count: bool = True) -> ExportResult:
        name, layout = LAYOUTS[case]
        tampers = self.tampers

        def encode(schema, batches, layout, tally):
            entering = tampers["entering the encoder"](batches, other_value)
            chunks = FORMATS[name].encode(schema, entering, layout, tally)
            yield from tampers["leaving the encoder"](chunks, flip)

        @contextmanager
        def open_sink(stream) -> Iterator[TamperedSink]:
            with self.store.open_upload("orders") as upload:
                yield TamperedSink(upload, tampers["entering the sink"])

        with pytest.MonkeyPatch.context() as patch:
            tamper_inside(patch, cuts=tampers["cut"], renderings=tampers["rendered"])
            source = TamperedSource(open_source(database), tampers["leaving the cursor"])
            return run_export(source, sa.select(ORDERS), encode, layout, open_sink, count=count)


@pytest.mark.parametrize(("case", "place"), CASES)
def test_without_a_mutation_the_export_succeeds(database: str, case: str, place: str) -> None:
    run = Run(place, leave)
    outcome = run.export(database, case)
    data = run.store.read("orders")
    assert (outcome.rows_source, outcome.rows_written) == (ROWS, ROWS)
    assert (outcome.size_bytes, outcome.sha256) == (len(data), sha256(data).hexdigest())
    # Enough passes there that a loss in the middle is one.
    (passed,) = run.tamper.passed
    assert passed > 3


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize(("case", "place"), CASES)
def test_a_mutation_fails_the_export(
    database: str, case: str, place: str, mutate: Mutation
) -> None:
    run = Run(place, mutate)
    with pytest.raises((IncompleteExport, ChecksumMismatch)):
        run.export(database, case)
    assert run.tamper.passed
    assert stored_keys(run.store) == []
    assert list(run.store.list_uploads()) == []


def _lose_a_line(patch: pytest.MonkeyPatch) -> None:
    for module in (csv_text, json_lines):
        patch.setattr(
            module,
            "join_rows",
            lambda cells, *text, join=module.join_rows: join(cells.slice(1), *text),
        )


def _lose_a_sheet_row(patch: pytest.MonkeyPatch) -> None:
    def concat(parts, *, concat=row_renderer._concat, **more):
        made = concat(parts, **more)
        return made.scatter([1], [""]) if made[0].startswith("<row") else made

    patch.setattr(row_renderer, "_concat", concat)


def _lose_a_parquet_row(patch: pytest.MonkeyPatch) -> None:
    write = parquet.pq.ParquetWriter.write_table

    def write_less(writer, table, **more):
        write(writer, table.slice(1), **more)

    patch.setattr(parquet.pq.ParquetWriter, "write_table", write_less)


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_renderer_that_loses_a_row_is_found_out_by_its_bytes(
    database: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lose in (_lose_a_line, _lose_a_sheet_row, _lose_a_parquet_row):
        lose(monkeypatch)
    run = Run("kept", leave)
    with pytest.raises(IncompleteExport):
        run.export(database, case, count=False)
    assert stored_keys(run.store) == []


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize("place", PLACES[1:])
def test_no_count_of_the_database_is_needed_for_that(
    database: str, place: str, mutate: Mutation
) -> None:
    run = Run(place, mutate)
    with pytest.raises((IncompleteExport, ChecksumMismatch)):
        run.export(database, "xlsx by city", count=False)
    assert stored_keys(run.store) == []
