"""The command line and a worker plan the same export, and so make the same file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import openpyxl
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.processes import environment, run
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.config.settings import load
from waybill.infra.exports.plan import plan_export
from waybill.infra.sample.datasets import orders
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

CITY = "Berlin"


def sheets_of(file: BytesIO | Path) -> dict[str, list[tuple[object, ...]]]:
    workbook = openpyxl.load_workbook(file, read_only=True)
    try:
        return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in workbook}
    finally:
        workbook.close()


def test_the_command_line_makes_the_workers_file_with_its_about_sheet(tmp_path: Path) -> None:
    rows_url = f"sqlite:///{tmp_path}/shop.db"
    env = environment(tmp_path / "home", rows_url)
    assert run(env, "sample", "--orders", "200").returncode == 0
    file = tmp_path / "orders.xlsx"
    ended = run(env, "export", "orders", "--param", f"city={CITY}", "-o", str(file))
    assert ended.returncode == 0, ended.stderr
    store = MemoryStore()
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(
            tasks, store, open_source(rows_url), orders, ANN, new_task(params={"city": CITY})
        )
    ours, theirs = sheets_of(file), sheets_of(BytesIO(store.read(task.object_key)))

    about = [name for name in theirs if name.startswith("About")]
    assert len(about) == 1
    assert list(ours) == list(theirs)
    assert len(ours["Orders"]) > 1
    assert ours["Orders"] == theirs["Orders"]
    facts, task_facts = dict(ours[about[0]]), dict(theirs[about[0]])
    assert facts["Filters"] == task_facts["Filters"] == f"City: {CITY}"
    assert facts["Requested by"] == "operator"
    assert task_facts["Requested by"] == "ann"
    assert set(task_facts) - set(facts) == {"Task"}
    assert set(facts) <= set(task_facts)


def test_the_function_of_a_dataset_is_called_at_most_once_for_a_plan(tmp_path: Path) -> None:
    calls: list[object] = []

    def build(params: object, user: object) -> sa.Select[tuple[int]]:
        calls.append(user)
        return sa.select(sa.literal(1).label("n"))

    plan = plan_export(load(home=tmp_path), Dataset("once", build), ANN, {}, "csv")
    assert calls == []
    assert plan.query is plan.query
    assert plan.single_flight_key is not None
    assert calls == [ANN]


def test_the_function_of_a_dataset_is_called_once_for_an_attempt(tmp_path: Path) -> None:
    calls: list[object] = []

    def build(params: object, user: object) -> sa.Select[tuple[int]]:
        calls.append(user)
        return sa.select(sa.literal(1).label("n"))

    dataset = Dataset("orders", build)
    (tmp_path / "rows.db").touch()
    source = open_source(f"sqlite:///{tmp_path}/rows.db")
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, MemoryStore(), source, dataset, ANN, new_task(params={}))
    assert task.status == "SUCCESS"
    assert task.predicted_rows == 1
    assert calls == [ANN]
