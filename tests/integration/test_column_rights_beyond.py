"""Columns that a role may not see, beyond the rows: the About sheet, workbooks, watermarks, mails.

The bytes of each part of a file are searched, and not only the cells that a reader shows.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.people import DATASET, SECRETS, SOUTHERN, somebody
from tests.support.servers.task_api import TASKS, TaskApi, running_api
from tests.support.task_store import new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.workbook import made_of
from waybill.infra.db.tables import notification
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

SELLER = Principal("bob", "north", frozenset({"sales"}))
HR = Principal("hanna", "north", frozenset({"hr"}))
MARKED = replace(DATASET, about=True, watermark="For {user} only, {time}")
CITIES = Dataset("cities", lambda _params, _user: sa.select(sa.literal("Rome").label("city")))
BOOK = made_of(
    [DATASET, CITIES], name="book", filename="{name}-{filters}", title="Book", about=True
)


def made(dataset: Dataset, user: Principal, folder: Path, **asked: Any) -> bytes:
    """The file that a worker makes for `user`."""
    store = MemoryStore()
    (folder / "rows.db").touch()
    source = open_source(f"sqlite:///{folder}/rows.db")
    new = new_task(task_type=dataset.name, format="xlsx", params={}, filename="x.xlsx", **asked)
    with sqlite_tables(folder) as tasks:
        task = run_attempt(tasks, store, source, dataset, user, new)
    assert task.status == "SUCCESS", task.error_message
    return store.read(task.object_key)


def said_in(data: bytes) -> str:
    """All parts of a workbook, one behind the other."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return "\n".join(file.read(name).decode() for name in file.namelist())


@pytest.mark.parametrize("dataset", [MARKED, BOOK], ids=["about and watermark", "several datasets"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_part_of_a_workbook_holds_what_is_hidden(
    tmp_path: Path, dataset: Dataset, lang: str
) -> None:
    asked = {"options": {"language": lang}}
    (tmp_path / "hr").mkdir()
    sold = said_in(made(dataset, SELLER, tmp_path, **asked))
    full = said_in(made(dataset, HR, tmp_path / "hr", **asked))

    assert [secret for secret in (*SECRETS, *SOUTHERN) if secret in sold] == []
    assert "Paid At Least" not in sold
    assert "****3000" in sold
    # What is searched for would be found.
    assert {"salary" in full or "Salary" in full, "71500" in full, "DE8937" in full} == {True}
    assert "Paid At Least" in full


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("beyond")
    registry = Registry({item.name: item for item in (DATASET, CITIES, BOOK)})
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=registry) as running:
        yield running


def test_a_workbook_has_no_filter_choice_or_estimate_by_a_hidden_column(api: TaskApi) -> None:
    seller, hr = somebody(api, "sales"), somebody(api, "hr")
    listed = {item["name"]: item for item in seller.get("/api/datasets").json()["items"]}
    assert list(listed["book"]["params_schema"]["properties"]) == [
        "name",
        "code",
        "state",
        "status",
    ]
    book = {"type": "book", "format": "xlsx", "params": {"paid_at_least": 50_000}}
    for path in (TASKS, f"{TASKS}/estimate"):
        assert seller.post(path, json=book).status_code == 422
        assert hr.post(path, json=book).is_success
    for param, status in (("name", 200), ("email", 422), ("code", 422)):
        assert seller.get(f"/api/datasets/book/choices/{param}").status_code == status
    task = seller.post(TASKS, json={**book, "params": {}}).json()
    for secret in SECRETS:
        assert secret not in str(task)


def test_what_is_sent_about_an_export_names_nothing_that_its_owner_does_not_see(
    api: TaskApi,
) -> None:
    seller = api.client(api.token("north", "bob", ("sales",), email="bob@acme.example"))
    body = {"type": "people", "format": "csv", "params": {"name": "Ana"}}
    answer = seller.post(TASKS, json={**body, "notify": {"email": "bob@acme.example"}})
    assert answer.status_code == 202, answer.text
    api.finish(answer.json())

    with api.engine.connect() as connection:
        rows = connection.execute(sa.select(notification)).mappings().all()
    stored = str([dict(row) for row in rows])
    assert {row["channel"] for row in rows} == {"notice", "email"}
    assert "Ana" in stored
    assert [secret for secret in (*SECRETS, "paid_at_least") if secret in stored] == []
