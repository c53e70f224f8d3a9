"""`csv` in a request: strict, part of what a request is, and obeyed by the worker."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.servers.task_api import TASKS, TaskApi, ask
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

SEMICOLON = {"profile": "excel-semicolon"}


def test_other_csv_is_another_export(api: TaskApi) -> None:
    client = api.person()
    plain = ask(client, format="csv")
    semicolon = ask(client, format="csv", csv=SEMICOLON)
    again = ask(client, format="csv", csv=SEMICOLON)
    # The installation's default, said aloud.
    default = ask(client, format="csv", csv={"profile": "excel"})

    assert semicolon["id"] != plain["id"]
    assert again["id"] == semicolon["id"]
    assert default["id"] == plain["id"]


def test_an_idempotency_key_knows_the_options(api: TaskApi) -> None:
    client = api.person()
    body = {"type": "orders", "format": "csv", "params": {}}
    headers = {"Idempotency-Key": "csv-options"}
    client.post(TASKS, json=body, headers=headers)
    answer = client.post(TASKS, json=body | {"csv": SEMICOLON}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("path", ["", "/estimate"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"format": "csv", "csv": {"decimal": ","}}, "#/csv/decimal"),
        ({"format": "csv", "csv": {"decimal": ",", "delimiter": ","}}, "#/csv/delimiter"),
        ({"format": "csv", "csv": {"delimiter": "::"}}, "#/csv/delimiter"),
        ({"format": "csv", "csv": {"sep": ";"}}, "#/csv/sep"),
        ({"format": "csv", "csv": {"bom": "true"}}, "#/csv/bom"),
        ({"format": "csv", "csv": "excel"}, "#/csv"),
        ({"format": "xlsx", "csv": SEMICOLON}, "#/csv"),
    ],
)
def test_what_cannot_be_followed_is_a_422_that_names_the_field(
    api: TaskApi, path: str, body: dict[str, object], pointer: str
) -> None:
    answer = api.person().post(TASKS + path, json={"type": "orders", "params": {}, **body})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_estimate_takes_the_options(api: TaskApi) -> None:
    body = {"type": "orders", "format": "csv.zip", "params": {}, "csv": SEMICOLON}
    assert api.person().post(f"{TASKS}/estimate", json=body).status_code == 200


def test_the_worker_writes_what_was_asked_for(tmp_path: Path) -> None:
    dataset = Dataset("prices", lambda params, user: sa.text("SELECT 1.5 AS price, 'a' AS t"))
    asked = new_task(
        task_type="prices",
        format="csv",
        params={},
        filename="prices.csv",
        options={"csv": {"profile": "excel-semicolon", "bom": False}},
    )
    store = MemoryStore()
    with closing(sqlite3.connect(tmp_path / "rows.db")) as rows:
        rows.execute("CREATE TABLE other (n INTEGER)")
    with sqlite_tables(tmp_path) as tasks:
        source = open_source(f"sqlite:///{tmp_path}/rows.db")
        task = run_attempt(tasks, store, source, dataset, ANN, asked)
    assert store.read(task.object_key) == b'"price";"t"\r\n1,5;"a"\r\n'
