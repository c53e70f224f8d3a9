"""Names, queries, hosts and ranges nobody sends by accident (R7 to R9, R17, R28, R29)."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.app import create_app

ASKING = [TASKS, f"{TASKS}/estimate"]

R7_NAMES = [
    "id; DROP TABLE export_task",
    'id" --',
    "`id`",
    "orders.city",
    "customer__user__password",
    "public.users",
    "*",
    "__class__",
]


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("name", R7_NAMES)
def test_r7_no_name_of_a_column_table_or_operator_comes_from_a_request(
    api: TaskApi, path: str, name: str
) -> None:
    client = api.person()
    bodies: list[dict[str, Any]] = [
        {"type": name, "format": "csv"},
        {"type": "orders", "format": name},
        {"type": "orders", "format": "csv", "params": {name: "x"}},
        *(
            {"type": "orders", "format": "csv", "params": {word: name}}
            for word in ("columns", "sort", "order_by", "operator", "where")
        ),
        {"type": "orders", "format": "csv", "columns": [name]},
        {"type": "orders", "format": "csv", "sheet_by": name},
    ]

    for body in bodies:
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (
            422, "application/problem+json"
        ), body  # fmt: skip
    assert client.get(TASKS).json()["items"] == []


def test_r7_a_list_is_sorted_by_nothing_a_request_names(api: TaskApi) -> None:
    client = api.person()
    tasks = [ask(client, params={"city": str(number)}) for number in range(3)]

    for query in ("sort=city", "sort=id;DROP TABLE export_task", "sort=tenant_id"):
        answer = client.get(f"{TASKS}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    for query in ("order_by=id;DROP TABLE export_task", ""):
        items = client.get(f"{TASKS}?{query}").json()["items"]
        assert [item["id"] for item in items] == [task["id"] for task in reversed(tasks)]


@pytest.mark.parametrize("path", ASKING)
def test_r8_a_filter_is_neither_a_pattern_nor_a_tree_nor_a_long_list(
    api: TaskApi, path: str
) -> None:
    client = api.person()
    started = time.monotonic()

    def ask_for(**params: Any) -> int:
        request = {"type": "orders", "format": "csv", "params": params}
        return client.post(path, json=request).status_code

    # A value like any other: it is compared, and never matched.
    assert ask_for(city="(a+)+$") < 300
    assert ask_for(city=["x"] * 10_000) == 422
    assert ask_for(city={"or": [{"eq": 1}, {"and": []}]}) == 422
    nested: Any = "Berlin"
    for _ in range(40):
        nested = {"and": [nested]}
    assert ask_for(city=nested) == 400
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("path", ASKING)
def test_r9_people_cannot_send_sql(api: TaskApi, path: str) -> None:
    client = api.person(roles=("sales", "admin"))

    for body in (
        {"type": "SELECT * FROM export_task", "format": "csv"},
        {"type": "orders", "format": "csv", "query": "SELECT 1"},
        {"type": "orders", "format": "csv", "table": "export_task"},
        {"type": "orders", "format": "csv", "source": "sqlite:///tasks.db"},
        {"type": "orders", "format": "csv", "params": {"sql": "SELECT 1"}},
    ):
        assert client.post(path, json=body).status_code == 422


def test_r17_no_address_and_no_body_says_whose_tenant_it_is(api: TaskApi) -> None:
    """Tenant and user come from the token; only admins may narrow their lists by one."""
    document = create_app(api.services).openapi()

    for path, operations in document["paths"].items():
        assert not re.search("tenant|user", path), path
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            named = names & {"tenant", "tenant_id", "user", "created_by"}
            assert not named or path.startswith("/api/admin/"), (method, path)
    schemas = document["components"]["schemas"]
    assert not {"tenant", "tenant_id", "user"} & schemas["ExportRequest"]["properties"].keys()


@pytest.mark.parametrize(
    "ranges",
    ["bytes=" + ",".join(["0-"] * 3_000), "bytes=0-0," * 500 + "0-1", "bytes=9-0", "bytes=-1,x"],
    ids=["overlapping", "many", "backwards", "garbage"],
)
def test_r28_a_range_of_many_parts_costs_no_more_than_the_file(api: TaskApi, ranges: str) -> None:
    address = create_app(api.services).state.context.static_address
    script = sorted((Path("api/pages/static")).glob("*.js"))[0]
    client = api.client()
    started = time.monotonic()

    answer = client.get(f"{address}/{script.name}", headers={"Range": ranges})

    assert time.monotonic() - started < 5
    assert answer.status_code in (200, 206, 400, 416)
    assert len(answer.content) <= 2 * script.stat().st_size + 100_000


def test_r28_no_byte_of_an_export_passes_through_a_download(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    answer = client.get(f"{TASKS}/{task['id']}/download", headers={"Range": "bytes=0-,0-,0-"})

    assert (answer.status_code, answer.content) == (307, b"")


SPOOFED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "host=evil.example",
    "X-Original-URL": "/api/admin/audit-log",
}


def test_r29_no_answer_repeats_a_host_the_caller_made_up(api: TaskApi) -> None:
    client = api.person()
    request = {"type": "orders", "format": "csv"}

    accepted = client.post(TASKS, json=request, headers=SPOOFED)
    listed = client.get(TASKS, headers=SPOOFED)
    admin = client.get("/api/admin/audit-log", headers=SPOOFED)

    assert accepted.headers["Location"] == f"{TASKS}/{accepted.json()['id']}"
    assert (accepted.status_code, listed.status_code, admin.status_code) == (202, 200, 403)
    for answer in (accepted, listed, admin):
        assert "evil.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/api/export-tasks",
        "//api/export-tasks",
        "/api//export-tasks",
        "/api/%2e%2e/api/admin/audit-log",
        "/api/export-tasks/../admin/audit-log",
        "/api/export-tasks;x=y",
        "/api/export-tasks/",
        "/api/export-tasks%00",
        "/static/..%2f..%2fpyproject.toml",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/\\evil.example",
    ],
)
def test_r29_an_odd_path_leads_nowhere(api: TaskApi, path: str) -> None:
    """Sent as it is: clients would tidy it up."""
    address = urlsplit(api.url)
    token = api.token(api.tenant(), roles=("sales",))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (403, 404), head
    assert b"location:" not in head.lower()
    assert b"evil" not in answer
    assert b"[project]" not in body
