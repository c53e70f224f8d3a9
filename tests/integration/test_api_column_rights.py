"""Columns that a role may not see: in no list, preview, estimate, file, order, filter or share."""

from __future__ import annotations

import io
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.eventually import wait_for
from tests.support.file_tables import table_of
from tests.support.people import DATASET, NAMES, SECRETS, SOUTHERN, Filters, somebody
from tests.support.servers.task_api import TASKS, TaskApi, running_api
from tests.support.task_store import new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.masks import Hashed
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.sources import open_source
from waybill.infra.tasks.preview_log import PreviewLog
from waybill.storage.memory import MemoryStore


@pytest.fixture(scope="module")
def people_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("people")
    registry = Registry({"people": DATASET})
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=registry) as api:
        yield api


def preview(client: Any, **query: Any) -> Any:
    """The answer to a preview; of a machine that is too busy for one, that of a later one."""

    def answer() -> Any:
        answer = client.get("/api/datasets/people/preview", params=query)
        return None if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE else answer

    return wait_for(answer)


def assert_nothing_of(text: str, *secrets: str) -> None:
    assert [secret for secret in secrets if secret in text] == []


def test_the_preview_has_the_rows_and_masks_of_its_caller(people_api: TaskApi) -> None:
    hr, sales = (preview(somebody(people_api, role)).json() for role in ("hr", "sales"))
    assert [column["name"] for column in hr["columns"]] == list(NAMES[:-1])
    assert hr["rows"] == [
        ["1", "Ana", "ana@example.com", "DE89370400440532013000", "71500", "Active"],
        ["2", "Bo", None, "NL91ABNA0417164300", "48250", "Left"],
    ]
    assert [column["name"] for column in sales["columns"]] == [
        n for n in NAMES[:-1] if n != "salary"
    ]
    assert sales["rows"] == [
        ["1", "Ana", "a***@example.com", "****3000", "Active"],
        ["2", "Bo", None, "****4300", "Left"],
    ]
    assert [column["masked"] for column in sales["columns"]] == [False, False, True, True, False]
    assert (hr["more"], hr["timezone"]) == (False, "UTC")


def test_the_preview_is_in_the_readers_language_order_and_choice(people_api: TaskApi) -> None:
    client = somebody(people_api, "sales")
    query = {"columns": ["status", "name"], "sort": ["-name"], "lang": "zh"}
    body = preview(client, **query).json()
    assert [column["label"] for column in body["columns"]] == ["status", "姓名"]
    assert body["columns"][1]["help"] == "全名。"
    assert body["rows"] == [["离职", "Bo"], ["在职", "Ana"]]
    posted = client.post("/api/datasets/people/preview", json=query)
    assert posted.json()["rows"] == body["rows"]


def test_no_other_tenants_row_is_shown(people_api: TaskApi) -> None:
    for role in ("hr", "sales"):
        assert_nothing_of(preview(somebody(people_api, role)).text, *SOUTHERN)
    assert "Cy" in preview(somebody(people_api, "hr", "south")).text


def test_a_hidden_column_is_on_no_surface(people_api: TaskApi) -> None:
    client = somebody(people_api, "sales")
    request = {"type": "people", "format": "xlsx", "params": {}}
    answers = [
        client.get("/api/datasets"),
        preview(client),
        preview(client, columns=["nam"]),
        client.post(f"{TASKS}/estimate", json=request),
        client.post(TASKS, json=request),
        client.get("/"),
    ]
    for answer in answers:
        assert_nothing_of(answer.text, *SECRETS)
    listed = client.get("/api/datasets").json()["items"][0]
    assert list(listed["params_schema"]["properties"]) == ["name", "code", "state", "status"]
    hr = somebody(people_api, "hr").get("/api/datasets").json()["items"][0]
    assert set(hr["params_schema"]["properties"]) == set(Filters.model_fields)
    assert "salary" in [column["name"] for column in hr["columns"]]


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ["id", "salary"]},
        {"sort": ["-salary"]},
        {"sort": ["email"]},
        {"params": {"salary": 71_500}},
        {"params": {"paid_at_least": 50_000}},
    ],
)
def test_what_is_not_seen_in_full_is_not_chosen_sorted_or_filtered_by(
    people_api: TaskApi, change: dict[str, Any]
) -> None:
    client = somebody(people_api, "sales")
    request = {"type": "people", "format": "csv", "params": {}, **change}
    for path in (TASKS, f"{TASKS}/estimate"):
        assert client.post(path, json=request).status_code == 422
    assert client.post("/api/datasets/people/preview", json=change).status_code == 422
    allowed = somebody(people_api, "hr").post(TASKS, json=request)
    assert allowed.status_code == 202, allowed.text


def test_a_wrong_value_of_a_closed_filter_is_refused_like_a_name_nobody_knows(
    people_api: TaskApi,
) -> None:
    client = somebody(people_api, "sales")
    said = [
        client.post(TASKS, json={"type": "people", "format": "csv", "params": {name: "x"}}).json()
        for name in ("salary", "nothing")
    ]
    for answer, name in zip(said, ("salary", "nothing"), strict=True):
        assert answer["detail"] == f"Unknown parameter: {name}."
    hr = somebody(people_api, "hr")
    known = hr.post(TASKS, json={"type": "people", "format": "csv", "params": {"salary": "x"}})
    assert "valid integer" in known.text


def test_users_who_would_see_other_columns_share_no_run(people_api: TaskApi) -> None:
    tenant = "north-runs"
    request = {"type": "people", "format": "csv", "params": {}}
    for user, role in (("ana", "hr"), ("bob", "sales"), ("cid", "sales")):
        answer = somebody(people_api, role, tenant, user).post(TASKS, json=request)
        assert answer.status_code == 202, answer.text
    with people_api.engine.connect() as connection:
        query = sa.text("SELECT created_by, flight_key FROM export_task WHERE tenant_id = :t")
        keys = {row.created_by: row.flight_key for row in connection.execute(query, {"t": tenant})}
    assert keys["bob"] == keys["cid"] != keys["ana"]
    assert None not in keys.values()


def test_a_file_with_more_columns_is_not_opened_by_a_colleague_with_fewer_rights() -> None:
    hr, sales = (Principal("x", "north", frozenset({role})) for role in ("hr", "sales"))
    DATASET.authorise(hr, maker=sales)
    with pytest.raises(PermissionError):
        DATASET.authorise(sales, maker=hr)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_holds_what_is_hidden_or_masked(tmp_path: Path, name: str) -> None:
    store = MemoryStore()
    (tmp_path / "rows.db").touch()
    source = open_source(f"sqlite:///{tmp_path}/rows.db")
    seller = Principal("bob", "north", frozenset({"sales"}))
    asked = new_task(task_type="people", format=name, params={}, filename=f"people.{name}")
    with sqlite_tables(tmp_path) as tasks:
        task = run_attempt(tasks, store, source, DATASET, seller, asked)
    assert task.status == "SUCCESS", task.error_message
    assert task.rows_source == task.rows_written == 2
    found = table_of(store.read(task.object_key), name, "People")
    assert_nothing_of(str(found), *SECRETS, *SOUTHERN)
    assert "****3000" in str(found)
    assert ("Active" in str(found)) == (name not in ("jsonl.gz", "parquet"))


def test_a_query_in_sql_text_hides_as_well(tmp_path: Path) -> None:
    text = Dataset(
        "people",
        lambda params, user: sa.text("SELECT 1 AS id, 71500 AS salary, 'ana@example.com' AS email"),
        columns={"salary": Column(roles={"hr"}), "email": Column(mask="hide", roles={"hr"})},
    )
    store = MemoryStore()
    (tmp_path / "rows.db").touch()
    seller = Principal("bob", "north", frozenset({"sales"}))
    asked = new_task(task_type="people", format="csv", params={}, filename="people.csv")
    with sqlite_tables(tmp_path) as tasks:
        source = open_source(f"sqlite:///{tmp_path}/rows.db")
        task = run_attempt(tasks, store, source, text, seller, asked)
    assert store.read(task.object_key).decode("utf-8-sig") == '"id","email"\r\n1,"***"\r\n'


def test_the_file_has_the_language_of_its_request(tmp_path: Path) -> None:
    store = MemoryStore()
    (tmp_path / "rows.db").touch()
    seller = Principal("bob", "north", frozenset({"hr"}))
    asked = new_task(
        task_type="people", params={}, filename="people.xlsx", options={"language": "zh"}
    )
    with sqlite_tables(tmp_path) as tasks:
        source = open_source(f"sqlite:///{tmp_path}/rows.db")
        task = run_attempt(tasks, store, source, DATASET, seller, asked)
    book = openpyxl.load_workbook(io.BytesIO(store.read(task.object_key)))
    rows = [list(row) for row in book["人员"].values]
    assert (rows[0][1], rows[1][5]) == ("姓名", "在职")


def test_a_request_in_another_language_is_another_export(people_api: TaskApi) -> None:
    client = somebody(people_api, "hr", "north-words")
    request = {"type": "people", "format": "csv", "params": {}}
    tasks = [
        client.post(TASKS, json=request | change, headers={"Accept-Language": language}).json()
        for change, language in (({}, "en"), ({}, "zh"), ({"lang": "zh"}, "en"))
    ]
    assert [task["lang"] for task in tasks] == ["en", "zh", "zh"]
    assert tasks[0]["id"] != tasks[1]["id"] == tasks[2]["id"]


def test_equal_values_have_equal_codes_and_another_key_makes_others() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Hashed("short")
    one, other = Hashed("k" * 16), Hashed("l" * 16)
    assert "kkkk" not in repr(one)
    assert repr(one) != repr(other)


def test_previews_are_recorded_and_limited(people_api: TaskApi) -> None:
    client = somebody(people_api, "sales", "north-many")
    usual = people_api.services.preview_log
    people_api.services.preview_log = PreviewLog(people_api.engine, per_minute=1)
    try:
        answers = [preview(client) for _ in range(3)]
    finally:
        people_api.services.preview_log = usual
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["code"] for answer in refused} == {"too_many_previews"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    with people_api.engine.connect() as connection:
        query = sa.text("SELECT detail FROM audit_log WHERE action = 'preview' AND tenant_id = :t")
        recorded = connection.execute(query, {"t": "north-many"}).scalars().all()
    assert len(recorded) == len(answers) - len(refused)
    assert '"people"' in str(recorded[0]).replace("'", '"')


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing/preview", 422),
        ("people/preview?params=%5B%5D", 422),
        ("people/preview?params=%7B", 422),
        ("people/preview?columns=nam", 422),
        ("people/preview?timezone=Berlin", 422),
        ("people/preview?sort=", 422),
        ("people/preview?size=3", 422),
    ],
)
def test_bad_previews_are_refused(people_api: TaskApi, path: str, status: int) -> None:
    answer = somebody(people_api, "sales", "north-bad").get(f"/api/datasets/{path}")
    assert answer.status_code == status, answer.text


def test_a_stranger_and_another_role_see_no_preview(people_api: TaskApi) -> None:
    assert people_api.client().get("/api/datasets/people/preview").status_code == 401
    assert preview(somebody(people_api, "guest")).status_code == 403


def choices(client: Any, param: str, **query: str) -> Any:
    return client.get(f"/api/datasets/people/choices/{param}", params=query)


def test_values_to_choose_from_are_those_of_the_callers_rows_and_columns(
    people_api: TaskApi,
) -> None:
    sales, hr = somebody(people_api, "sales"), somebody(people_api, "hr")
    assert choices(sales, "name").json() == {
        "items": [{"value": name, "label": name} for name in ("Ana", "Bo")],
        "more": False,
    }
    assert [item["value"] for item in choices(hr, "email").json()["items"]] == ["ana@example.com"]
    for param in ("email", "code", "status", "nothing"):
        answer = choices(sales, param)
        assert answer.status_code == 422
        assert_nothing_of(answer.text, *SECRETS)
    assert choices(people_api.person(roles=("other",)), "name").status_code == 403


def test_values_are_found_by_what_people_read_and_typed_signs_mean_themselves(
    people_api: TaskApi,
) -> None:
    client = somebody(people_api, "sales")
    assert choices(client, "state", q="ACT").json()["items"] == [{"value": "1", "label": "Active"}]
    assert [item["value"] for item in choices(client, "state", q="%").json()["items"]] == ["2"]
