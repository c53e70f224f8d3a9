"""`GET /api/export-tasks`: pages with totals, and cursors that never skip or repeat."""

from __future__ import annotations

import httpx2
import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask


def fill(client: httpx2.Client, count: int) -> list[str]:
    """Start `count` different exports; their ids, newest first."""
    return [ask(client, params={"at_least": number})["id"] for number in range(count)][::-1]


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_pages_are_newest_first_and_know_the_total(api: TaskApi) -> None:
    client = api.person()
    made = fill(client, 5)

    first, last = (client.get(TASKS, params={"page": page, "page_size": 2}) for page in (1, 3))

    assert ids(first) + ids(client.get(TASKS, params={"page": 2, "page_size": 2})) == made[:4]
    assert ids(last) == made[4:]
    assert [(a.json()["total"], a.json()["page"]) for a in (first, last)] == [(5, 1), (5, 3)]
    assert first.json()["next"] is not None
    assert last.json()["next"] is None


@pytest.mark.parametrize("start", ["", None], ids=["an empty cursor", "a first page"])
def test_cursors_visit_every_task_once_while_new_ones_arrive(
    api: TaskApi, start: str | None
) -> None:
    client = api.person()
    made = fill(client, 5)
    seen: list[str] = []
    answer = client.get(TASKS, params={"page_size": 2} | ({} if start is None else {"cursor": ""}))

    while True:
        seen += ids(answer)
        ask(client, params={"city": f"after {len(seen)}"})
        if answer.json()["next"] is None:
            break
        answer = client.get(TASKS, params={"page_size": 2, "cursor": answer.json()["next"]})

    assert seen == made


def test_a_list_is_narrowed_by_states_and_by_type(api: TaskApi) -> None:
    client = api.person(roles=("sales", "finance"))
    live = ask(client)
    cancelled = ask(client, params={"at_least": 1})
    client.post(f"{TASKS}/{cancelled['id']}/cancel")
    ledger = ask(client, type="ledger", params={"year": 2024})

    assert ids(client.get(TASKS, params={"status": "CANCELLED"})) == [cancelled["id"]]
    both = client.get(TASKS, params={"status": ["PENDING", "CANCELLED"], "type": "orders"})
    assert ids(both) == [cancelled["id"], live["id"]]
    assert ids(client.get(TASKS, params={"type": "ledger"})) == [ledger["id"]]


def test_nothing_is_an_empty_list(api: TaskApi) -> None:
    body = api.person().get(TASKS).json()

    assert body == {"items": [], "total": 0, "page": 1, "page_size": 20, "next": None}


def test_r2_another_tenant_in_the_query_changes_nothing(api: TaskApi) -> None:
    mine, theirs = api.tenant(), api.tenant()
    own = fill(api.person(mine), 1)
    fill(api.person(theirs, "bob"), 2)

    answer = api.person(mine).get(
        TASKS, params={"tenant_id": theirs, "tenant": theirs, "created_by": "bob", "user": "bob"}
    )

    assert ids(answer) == own


def test_r2_a_cursor_is_bound_to_its_caller_and_its_filter(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    fill(client, 3)
    cursor = client.get(TASKS, params={"page_size": 1}).json()["next"]
    used = {"page_size": 1, "cursor": cursor}

    assert client.get(TASKS, params=used).status_code == 200
    for other, params in [
        (api.person(tenant, "bob"), used),
        (api.person(), used),
        (client, used | {"status": "PENDING"}),
        (client, used | {"type": "orders"}),
    ]:
        answer = other.get(TASKS, params=params)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_cursor")


@pytest.mark.parametrize(
    "forged", ["x", "AAAA", "!!!", "ü", "A" * 400, "WyIyMDI2LTAxLTAxIiwgIjEiXQ"]
)
def test_r2_a_forged_cursor_is_refused(api: TaskApi, forged: str) -> None:
    answer = api.person().get(TASKS, params={"cursor": forged})

    assert (answer.status_code, answer.json()["code"]) == (403, "bad_cursor")


def test_r2_every_changed_character_of_a_cursor_is_noticed(api: TaskApi) -> None:
    client = api.person()
    fill(client, 2)
    cursor = client.get(TASKS, params={"page_size": 1}).json()["next"]

    for at in range(0, len(cursor) - 1, 7):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert client.get(TASKS, params={"cursor": changed}).status_code == 403


def test_a_list_is_searched_by_a_part_of_the_file_name(api: TaskApi) -> None:
    client = api.person()
    made = {
        name: ask(client, filename=name)["id"] for name in ("Lisbon 100% _a_", "lisbon 1000", "c")
    }
    ask(api.person(), filename="Lisbon of somebody else")

    def found(part: str, **more: object) -> list[str]:
        return ids(client.get(TASKS, params={"q": part, **more}))

    assert found("LISBON") == [made["lisbon 1000"], made["Lisbon 100% _a_"]]
    assert found("100%") == found("_a_") == [made["Lisbon 100% _a_"]]
    assert found("%") == [made["Lisbon 100% _a_"]]
    assert found("\\") == found("' OR 1=1 --") == []
    page = client.get(TASKS, params={"q": "lisbon", "page_size": 1}).json()
    assert page["total"] == 2
    assert found("lisbon", cursor=page["next"]) == [made["Lisbon 100% _a_"]]
    other = client.get(TASKS, params={"q": "c", "cursor": page["next"]})
    assert other.json()["code"] == "bad_cursor"
