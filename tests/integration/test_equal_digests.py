"""The same rows make the same file, whatever the machine and the driver are like."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.source_databases import (
    NUMBERS,
    NUMBERS_ROWS,
    SourceDatabase,
    source_database,
)
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.run import ExportResult, run_export
from waybill.infra.sources.postgres import stream as postgres_stream
from waybill.storage.memory import MemoryStore


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    folder: Path = tmp_path_factory.mktemp("source")
    with source_database("postgres-adbc", request, folder) as filled:
        yield filled


@dataclass(frozen=True)
class Exported:
    """What an export said, and its file."""

    outcome: ExportResult
    content: bytes


def export(database: SourceDatabase, name: str) -> Exported:
    store = MemoryStore()
    outcome = run_export(
        database.source,
        sa.select(NUMBERS).order_by(NUMBERS.c.n),
        FORMATS[name].encode,
        Layout(),
        lambda stream: store.open_upload("numbers", content_type="text/plain"),
    )
    content = store.read("numbers")
    assert sha256(content).hexdigest() == outcome.sha256
    assert outcome.rows_source == outcome.rows_written == NUMBERS_ROWS
    return Exported(outcome, content)


def assert_equal(one: Exported, other: Exported, name: str) -> None:
    """Both digests are equal; where they are not, say whether it is the rows that differ."""
    if one.outcome.sha256 == other.outcome.sha256:
        return
    if name.endswith(".gz"):
        lines, others = (gzip.decompress(file.content).splitlines() for file in (one, other))
        differ = [pair for pair in zip(lines, others, strict=False) if pair[0] != pair[1]]
        raise AssertionError(f"{len(lines)} and {len(others)} lines; {differ[:3] or 'equal text'}")
    assert one.content == other.content


@pytest.fixture(autouse=True)
def one_snapshot_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives hold the time of the snapshot, which is another one for each run here."""
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    monkeypatch.setattr(postgres_stream.PostgresStream, "snapshot_at", noon)


@pytest.mark.parametrize("name", FORMATS)
def test_two_runs_over_the_same_rows_give_one_digest(
    database: SourceDatabase, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = export(database, name)
    assert_equal(export(database, name), first, name)
    # Another number of cores, and a driver that hands over other batches.
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(postgres_stream, "MAX_BYTES", 100_000)
    assert_equal(export(database, name), first, name)


def test_one_other_value_gives_another_digest(database: SourceDatabase) -> None:
    digest = export(database, "csv").outcome.sha256
    changed = NUMBERS.update().where(NUMBERS.c.n == 7)
    database.execute(changed.values(note="changed"))
    try:
        assert export(database, "csv").outcome.sha256 != digest
    finally:
        database.execute(changed.values(note=None))
