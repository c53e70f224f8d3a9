"""`sharding` in a request: strict, shown with the task, and kept by a retry."""

from __future__ import annotations

import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.client.calls import export_request


def test_the_task_shows_what_was_asked_of_shards_and_a_retry_asks_for_it_again(
    api: TaskApi,
) -> None:
    client = api.person()
    plain = ask(client, format="csv.gz")
    asked = ask(client, format="csv.gz", sharding={"from_rows": 1_000_000})
    shown = client.get(f"{TASKS}/{asked['id']}").json()

    assert plain["sharding"] is None
    assert asked["id"] != plain["id"]
    assert shown["sharding"] == {"from_rows": 1_000_000, "from_bytes": None, "never": False}

    client.post(f"{TASKS}/{asked['id']}/cancel")
    again = client.post(f"{TASKS}/{asked['id']}/retry").json()
    assert (again["id"] != asked["id"], again["sharding"]) == (True, shown["sharding"])


def test_what_says_nothing_is_the_same_export(api: TaskApi) -> None:
    client = api.person()
    assert ask(client)["id"] == ask(client, sharding={"never": False})["id"]


@pytest.mark.parametrize("path", ["", "/estimate"])
@pytest.mark.parametrize(
    ("sharding", "pointer"),
    [
        ({"from_rows": 1}, "#/sharding/from_rows"),
        ({"from_rows": "many"}, "#/sharding/from_rows"),
        ({"from_bytes": 0}, "#/sharding/from_bytes"),
        ({"never": "yes"}, "#/sharding/never"),
        ({"workers": 4}, "#/sharding/workers"),
        ("never", "#/sharding"),
    ],
)
def test_what_cannot_be_followed_is_a_422_that_names_the_field(
    api: TaskApi, path: str, sharding: object, pointer: str
) -> None:
    body = {"type": "orders", "format": "csv.gz", "params": {}, "sharding": sharding}
    answer = api.person().post(TASKS + path, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_client_sends_it(api: TaskApi) -> None:
    body = export_request("orders", "csv.gz", {}, sharding={"never": True})
    task = api.person().post(TASKS, json=body).json()
    assert task["sharding"]["never"] is True
