"""A workbook of several datasets over HTTP: listed, estimated, asked for, and made by a worker."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.servers.task_api import TASKS, TaskApi, ask
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.workbook import made_of
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

BOTH = ("sales", "finance")
CLOSING = {"type": "closing", "format": "xlsx", "params": {"year": 2026, "city": "Rome"}}


def test_the_list_shows_it_with_its_sheets_to_who_may_have_all_of_them(api: TaskApi) -> None:
    listed = api.person(roles=BOTH).get("/api/datasets").json()["items"]
    [closing] = [item for item in listed if item["name"] == "closing"]
    assert (closing["formats"], closing["columns"]) == (["xlsx"], [])
    assert set(closing["params_schema"]["properties"]) == {"city", "status", "at_least", "year"}
    assert closing["params_schema"]["required"] == ["year"]
    sheets = [
        (sheet["title"], [one["name"] for one in sheet["columns"]]) for sheet in closing["sheets"]
    ]
    # A dataset with a parameter that is required tells its columns with its rows only.
    assert sheets == [("Orders", ["doc"]), ("Ledger", [])]
    assert next(item for item in listed if item["name"] == "orders")["sheets"] == []

    for roles in (("sales",), ("finance",)):
        names = [
            item["name"] for item in api.person(roles=roles).get("/api/datasets").json()["items"]
        ]
        assert "closing" not in names


@pytest.mark.parametrize("role", BOTH)
def test_one_role_of_two_is_refused_everywhere(api: TaskApi, role: str) -> None:
    client = api.person(roles=(role,))
    for path in (TASKS, f"{TASKS}/estimate"):
        answer = client.post(path, json=CLOSING)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    preview = client.post("/api/datasets/closing/preview", json={})
    assert preview.status_code == 403


def test_equal_requests_are_one_and_those_that_differ_in_one_sheet_are_two(api: TaskApi) -> None:
    client = api.person(roles=BOTH)
    first = ask(client, **CLOSING)
    assert client.post(TASKS, json=CLOSING).json()["id"] == first["id"]
    other = ask(client, **CLOSING | {"params": {"year": 2025, "city": "Rome"}})
    assert other["id"] != first["id"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"format": "csv"}, "#/format"),
        ({"columns": ["doc"]}, "#/columns"),
        ({"sort": ["doc"]}, "#/sort"),
        ({"params": {"year": 1999}}, "#/params/year"),
    ],
)
def test_what_a_workbook_cannot_be_is_refused_at_its_field(
    api: TaskApi, change: dict[str, object], pointer: str
) -> None:
    answer = api.person(roles=BOTH).post(TASKS, json=CLOSING | change)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_preview_names_the_datasets_that_have_one(api: TaskApi) -> None:
    answer = api.person(roles=BOTH).post("/api/datasets/closing/preview", json={"params": {}})
    assert answer.status_code == 422
    assert "orders, ledger" in answer.json()["detail"]


def test_an_estimate_is_that_of_all_sheets(api: TaskApi) -> None:
    found = api.person(roles=BOTH).post(f"{TASKS}/estimate", json=CLOSING).json()
    assert (found["rows"], found["sheets"], found["files"]) == (2, 2, 1)
    assert found["better_format"] is None


def test_a_worker_makes_it_with_the_rights_of_its_owner(tmp_path: Path) -> None:
    tables = sa.MetaData()
    orders = sa.Table("orders", tables, sa.Column("id", sa.Integer), sa.Column("cost", sa.Integer))
    bills = sa.Table("bills", tables, sa.Column("no", sa.Text), sa.Column("iban", sa.Text))
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = sa.create_engine(url)
    tables.create_all(engine)
    with engine.begin() as connection:
        connection.execute(orders.insert(), [{"id": n, "cost": 7} for n in range(5)])
        connection.execute(bills.insert(), [{"no": "B1", "iban": "DE02120300000000202051"}])
    engine.dispose()
    parts = [
        Dataset(
            "orders",
            lambda _params, _user: sa.select(orders).order_by(orders.c.id),
            title="Orders",
            columns={"cost": Column(roles={"finance"})},
        ),
        Dataset(
            "bills",
            lambda _params, _user: sa.select(bills),
            title="Bills",
            columns={"iban": Column(mask="last4", roles={"finance"})},
        ),
    ]
    book = made_of(parts, name="orders_and_bills", filename="{name}", title="Both", about=True)
    store, source = MemoryStore(), open_source(url)
    with sqlite_tables(tmp_path) as tasks:
        new = new_task(task_type="orders_and_bills", format="xlsx", params={})
        task = run_attempt(tasks, store, source, book, ANN, new)
    assert task.status == "SUCCESS"
    assert (task.rows_source, task.rows_written) == (6, 6)
    [key] = store.stored_keys()
    file = openpyxl.load_workbook(io.BytesIO(store.read(key)))
    assert file.sheetnames == ["Orders", "Bills", "About this export"]
    assert [[cell.value for cell in row] for row in file["Orders"]] == [
        ["id"],
        [0],
        [1],
        [2],
        [3],
        [4],
    ]
    assert [[cell.value for cell in row] for row in file["Bills"]] == [
        ["no", "iban"],
        ["B1", "****2051"],
    ]
    said = {row[0].value: row[1].value for row in file["About this export"]}
    assert (said["Rows of Orders"], said["Rows of Bills"]) == ("5", "1")
