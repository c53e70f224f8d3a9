"""`columns`, `sort` and `timezone` in a request: checked, shown, kept, obeyed in every format."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pytest
import sqlalchemy as sa
from pydantic import BaseModel, Field

from tests.support.attempts import run_attempt
from tests.support.file_tables import table_of
from tests.support.processes import environment, run
from tests.support.servers.task_api import TASKS, TaskApi, ask
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.config.settings import Settings
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import plan_export
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

#: Of the one column of the test API's orders.
CHOICE = {"columns": ["doc"], "sort": ["-doc"], "timezone": "Europe/Berlin"}


def test_the_task_shows_what_was_asked_for(api: TaskApi) -> None:
    client = api.person()
    task = ask(client, format="csv", **CHOICE)
    seen = client.get(f"{TASKS}/{task['id']}").json()
    for body in (task, seen):
        assert body["columns"] == [{"name": "doc", "label": None}]
        assert body["sort"] == [{"column": "doc", "descending": True}]
        assert (body["timezone"], body["csv"]) == ("Europe/Berlin", None)
    plain = ask(client, format="csv")
    assert (plain["columns"], plain["sort"], plain["timezone"]) == (None, None, None)


@pytest.mark.parametrize("change", [{"columns": None}, {"sort": None}, {"timezone": None}])
def test_another_choice_is_another_export_and_an_equal_one_is_not(
    api: TaskApi, change: dict[str, Any]
) -> None:
    client = api.person()
    first = ask(client, **CHOICE)
    again = ask(client, **CHOICE | {"columns": [{"name": "doc"}]})
    other = ask(client, **CHOICE | change)
    assert again["id"] == first["id"] != other["id"]


def test_a_retry_asks_for_the_same(api: TaskApi) -> None:
    client = api.person()
    task = ask(client, **CHOICE)
    client.post(f"{TASKS}/{task['id']}/cancel")
    again = client.post(f"{TASKS}/{task['id']}/retry").json()
    assert again["id"] != task["id"]
    for name in ("columns", "sort", "timezone"):
        assert again[name] == task[name]


@pytest.mark.parametrize("path", ["", "/estimate"])
@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"columns": ["dog"]}, "#/columns/0/name", "Did you mean 'doc'?"),
        ({"columns": ["doc", "doc"]}, "#/columns/1/name", "chosen twice"),
        ({"columns": [{"name": "doc", "label": ""}]}, "#/columns/0/label", ""),
        ({"columns": []}, "#/columns", ""),
        ({"columns": "doc"}, "#/columns", ""),
        ({"sort": ["-dog"]}, "#/sort/0/column", "Did you mean 'doc'?"),
        ({"sort": [{"column": "doc", "down": True}]}, "#/sort/0/down", ""),
        ({"timezone": "Berlin"}, "#/timezone", "Did you mean Europe/Berlin?"),
        ({"timezone": ""}, "#/timezone", ""),
    ],
)
def test_what_cannot_be_followed_is_a_422_that_names_the_field(
    api: TaskApi, path: str, body: dict[str, object], pointer: str, hint: str
) -> None:
    request = {"type": "orders", "format": "xlsx", "params": {}, **body}
    answer = api.person().post(TASKS + path, json=request)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert hint in error["detail"]


SHOP = Dataset(
    "orders",
    lambda params, user: (
        sa.select(
            sa.column("id", sa.Integer),
            sa.column("city", sa.Text),
            sa.column("total", sa.Integer),
        )
        .select_from(sa.table("shop"))
        .order_by(sa.column("id"))
    ),
    columns={"city": Column(label="City"), "total": Column(label="Total")},
    title="Orders",
    about=True,
)
OPTIONS = {
    "columns": [{"name": "total", "label": "Sum of it"}, {"name": "city"}],
    "sort": [{"column": "total", "descending": True}],
    "timezone": "Asia/Shanghai",
}


@pytest.fixture
def shop(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as rows, rows:
        rows.execute("CREATE TABLE shop (id INTEGER, city TEXT, total INTEGER)")
        rows.executemany(
            "INSERT INTO shop VALUES (?, ?, ?)", [(1, "Rome", 5), (2, "Oslo", None), (3, "Bonn", 9)]
        )
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.mark.parametrize("name", FORMATS)
def test_the_header_and_the_rows_are_as_chosen_in_every_format(
    tmp_path: Path, shop: str, name: str
) -> None:
    store = MemoryStore()
    asked = new_task(format=name, params={}, filename=f"orders.{name}", options=OPTIONS)
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, store, open_source(shop), SHOP, ANN, asked)
    assert task.rows_source == task.rows_written == 3
    found = table_of(store.read(task.object_key), name)
    # JSON Lines and Parquet have the columns' own names, but for those that the request names.
    city = "city" if name in ("jsonl.gz", "parquet") else "City"
    assert found == [["Sum of it", city], [9, "Bonn"], [5, "Rome"], [None, "Oslo"]]


def test_the_about_sheet_names_columns_order_and_zone(tmp_path: Path, shop: str) -> None:
    store = MemoryStore()
    asked = new_task(params={}, options=OPTIONS)
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, store, open_source(shop), SHOP, ANN, asked)
    book = openpyxl.load_workbook(io.BytesIO(store.read(task.object_key)))
    facts = dict(row[:2] for row in book["About this export"].values)
    assert facts["Columns"] == "Sum of it, City"
    assert facts["Sorted by"] == "Total, descending"
    assert facts["Time zone"] == "Asia/Shanghai"


class CityParams(BaseModel):
    city: str | None = Field(
        None, title="City", json_schema_extra={"translations": {"zh": {"title": "城市"}}}
    )
    status: Literal["paid", "open"] = Field(
        "paid",
        title="Status",
        json_schema_extra={"translations": {"zh": {"title": "状态", "values": {"paid": "已付款"}}}},
    )


@pytest.mark.parametrize("name", ["xlsx", "csv.zip"])
def test_what_a_file_says_about_itself_is_in_the_language_of_its_request(
    tmp_path: Path, shop: str, name: str
) -> None:
    store, dataset = MemoryStore(), replace(SHOP, params=CityParams)
    options = {**OPTIONS, "language": "zh"}
    asked = new_task(format=name, params={"city": "Rome"}, options=options)
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, store, open_source(shop), dataset, ANN, asked)
    file = io.BytesIO(store.read(task.object_key))
    if name == "xlsx":
        book = openpyxl.load_workbook(file)
        assert book.sheetnames == ["Orders", "导出说明"]
        lines = [row[:2] for row in book["导出说明"].values if row[0]]
        facts = dict(lines)
        assert (facts["文件中的行数"], lines[0][0]) == (3, "导出说明")
        assert lines[-1][0] == "文件中的所有值均与读取时完全一致。"
    else:
        facts = json.loads(zipfile.ZipFile(file).read("manifest.json"))["about"]
    assert facts["导出人"] == ANN.user
    assert facts["筛选条件"] == "城市：Rome；状态：已付款"
    assert facts["排序"] == "Total（降序）"
    assert facts["数据库中的行数"] == "3"
    labels = {label for label in facts if label is not None}
    assert not {label for label in labels if re.search("[A-Za-z]", str(label))}


@pytest.mark.parametrize("about", [True, False])
def test_a_request_keeps_its_language_where_its_file_says_something_about_itself(
    about: bool, tmp_path: Path
) -> None:
    settings, dataset = Settings(home=tmp_path), replace(SHOP, about=about)
    asked = [RequestOptions(language=language) for language in ("en", "zh")]
    plans = [plan_export(settings, dataset, ANN, {}, "xlsx", options=one) for one in asked]
    kept = [plan.options.get("language") for plan in plans]
    assert kept == (["en", "zh"] if about else [None, None])
    assert len({plan.single_flight_key for plan in plans}) == (2 if about else 1)


def test_a_worker_fails_a_task_whose_column_is_gone(tmp_path: Path, shop: str) -> None:
    asked = new_task(params={}, options={"columns": [{"name": "colour"}]})
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, MemoryStore(), open_source(shop), SHOP, ANN, asked)
    assert (task.status, task.error_code) == ("FAILED", "invalid_request")


def test_the_command_line_chooses(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", f"sqlite:///{tmp_path}/shop.db")
    assert run(env, "sample", "--orders", "50").returncode == 0
    file = tmp_path / "orders.csv"
    arguments = ("--column", "id", "--column", "created_at=When", "--sort", "-id")
    zone = ("--timezone", "Asia/Shanghai", "--csv-profile", "machine")
    done = run(env, "export", "orders", *arguments, *zone, "-o", str(file))
    assert done.returncode == 0, done.stderr
    header, first, *_ = file.read_text().splitlines()
    assert header.replace('"', "") == "ID,When"
    assert first.startswith("50,")
    assert first.endswith("+08:00")
    done = run(env, "export", "orders", "--column", "ID number", "-o", str(file))
    assert done.returncode == 2
    assert "There is no column 'ID number'" in done.stderr
    done = run(env, "export", "--table", "orders", "--column", "city", "-o", str(file))
    assert done.returncode == 0, done.stderr
