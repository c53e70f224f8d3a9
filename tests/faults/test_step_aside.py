"""A long export steps aside for others, goes on, and hears what a running one hears (F109)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tests.support.eventually import eventually, wait_for
from tests.support.fault_lab import GatedSource, open_lab
from tests.support.task_store import ANN, expire_lease
from waybill.exporter.rows.seals import sealed
from waybill.infra.tasks.lifecycle.maintenance import Maintenance

#: One block of CSV: an export may be paused behind each.
BLOCK = pa.record_batch({"n": pa.array(range(32_768), pa.int64())})
SETTINGS = {"slice": 0.2, "concurrency": 1, "shutdown_grace": 10}


class LongSource(GatedSource):
    """The first `long` exports have rows until the gate opens; the others wait for `let_pass`."""

    def __init__(self, long: int = 1) -> None:
        super().__init__()
        self.long = long
        self.let_pass = threading.Event()

    @contextmanager
    def open(self, query, *, count=True):
        self.arrived.append(datetime.now(UTC))
        yield _Stream(self, is_long=len(self.arrived) <= self.long)


@dataclass
class _Stream:
    source: LongSource
    is_long: bool
    schema: pa.Schema = BLOCK.schema
    snapshot_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows_expected: None = None
    read_as_text: dict[int, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return sealed(self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        yield BLOCK
        if not self.is_long:
            self.source.let_pass.wait(30)
        while self.is_long and not self.source.gate.wait(0.02):
            yield BLOCK

    def cancel(self) -> None:
        pass


@pytest.fixture
def lab(tmp_path):
    with open_lab(tmp_path, f"sqlite:///{tmp_path}/t.db", source=LongSource(), **SETTINGS) as lab:
        yield lab


async def paused(lab):
    """A long export that is paused, because one that is not done has its slot."""
    long = lab.submit()
    await lab.at_the_gate()
    other = lab.submit()
    await eventually(lambda: lab.row(long)["paused_since"])
    await lab.at_the_gate(2)
    return long, other


async def test_f109_short_exports_pass_a_long_one_which_goes_on_where_it_was(lab):
    lab.source.let_pass.set()
    async with lab.worker():
        long = lab.submit()
        await lab.at_the_gate()
        short = [lab.submit() for _ in range(3)]
        rows = [await lab.ended(task_id) for task_id in short]
        assert lab.row(long)["status"] == "PROCESSING"
        await eventually(lambda: "go_on" in lab.actions(long))
        lab.source.gate.set()
        row = await lab.ended(long)
    assert {one["status"] for one in (row, *rows)} == {"SUCCESS"}
    assert (row["attempt"], row["paused_since"]) == (1, None)
    assert (
        row["pauses"] == lab.actions(long).count("step_aside") == lab.actions(long).count("go_on")
    )
    assert len(lab.source.arrived) == 4, "nothing was read twice"
    lab.audit()


async def test_f109_long_exports_take_turns(tmp_path):
    source = LongSource(long=2)
    with open_lab(tmp_path, f"sqlite:///{tmp_path}/t.db", source=source, **SETTINGS) as lab:
        async with lab.worker():
            both = [lab.submit(), lab.submit()]
            await eventually(lambda: all(lab.row(task_id)["pauses"] > 1 for task_id in both))
            source.gate.set()
            rows = [await lab.ended(task_id) for task_id in both]
        assert {(row["status"], row["attempt"]) for row in rows} == {("SUCCESS", 1)}
        lab.audit()


async def test_f109_a_paused_export_is_cancelled_at_once(lab):
    async with lab.worker():
        long, other = await paused(lab)
        lab.requests.cancel(ANN, long)
        assert (await lab.ended(long))["status"] == "CANCELLED"
        assert lab.row(other)["status"] == "PROCESSING"
        lab.source.let_pass.set()
        assert (await lab.ended(other))["status"] == "SUCCESS"
    lab.audit()


async def test_f109_a_worker_that_ends_returns_a_paused_export_at_once(lab):
    async with lab.worker():
        long, other = await paused(lab)
        lab.source.gate.set()
        threading.Timer(1, lab.source.let_pass.set).start()
    assert (lab.row(long)["status"], lab.row(other)["status"]) == ("PENDING", "SUCCESS")
    assert lab.actions(long)[-2:] == ["step_aside", "release"]
    assert lab.row(long)["updated_at"] < lab.row(other)["finished_at"]
    async with lab.worker():
        assert (await lab.ended(long))["attempt"] == 1
    lab.audit()


async def test_f109_a_paused_export_whose_lease_is_lost_writes_nothing_more(lab, caplog):
    async with lab.worker():
        long, other = await paused(lab)
        expire_lease(lab.engine, long)
        assert Maintenance(lab.engine).rescue_expired_leases(timedelta(seconds=3)) == 1
        await eventually(lambda: "lease lost" in caplog.text)
        assert (lab.row(long)["status"], lab.row(long)["paused_since"]) == ("PENDING", None)
        lab.source.let_pass.set()
        rows = [await lab.ended(task_id) for task_id in (long, other)]
    assert {row["status"] for row in rows} == {"SUCCESS"}
    assert "go_on" not in lab.actions(long)
    lab.audit()


async def test_f109_without_room_in_memory_no_export_steps_aside(tmp_path):
    database, little = f"sqlite:///{tmp_path}/t.db", {"memory": "300MiB"}
    source = LongSource()
    source.let_pass.set()
    with open_lab(tmp_path, database, source=source, **SETTINGS | little) as lab:
        async with lab.worker():
            long = lab.submit()
            await lab.at_the_gate()
            other = lab.submit()
            # Each heartbeat is a version: it has had several slices.
            await eventually(lambda: lab.row(long)["version"] > 8)
            assert lab.row(other)["status"] == "PENDING"
            lab.source.gate.set()
            assert (await lab.ended(long))["pauses"] == 0
            await lab.ended(other)
        lab.audit()


def test_f109_the_file_of_an_export_that_stepped_aside_is_the_same(api, clean):
    """A real worker, database, broker and store."""
    big = {"rows": 3_000_000}
    settings = {"WAYBILL_CONCURRENCY": "1", "WAYBILL_SLICE": "0.2"}
    with clean.worker("--queue", "quick", **settings):
        undisturbed = clean.submit("numbers", tag="undisturbed", **big)
        (expected,) = clean.ended(undisturbed)
        long = clean.submit("numbers", tag="long", **big)
        wait_for(lambda: clean.row(long)["status"] == "PROCESSING")
        short = [clean.submit("numbers", tag=str(n)) for n in range(10)]
        rows = clean.ended(*short)
        (row,) = clean.ended(long)
    assert row["sha256"] == expected["sha256"]
    assert (row["status"], row["attempt"]) == ("SUCCESS", 1)
    assert row["pauses"] >= 1
    assert min(one["finished_at"] for one in rows) < row["finished_at"]
    clean.audit()
