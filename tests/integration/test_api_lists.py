"""`GET /api/export-tasks`: pages with totals, and cursors that never skip or repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import export_task


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


def test_a_search_finds_words_of_names_and_filters_in_any_case_and_script(api: TaskApi) -> None:
    client = api.person()
    berlin = ask(client, params={"city": "Berlin", "status": "paid"}, filename="monday")["id"]
    cologne = ask(client, params={"city": "KÖLN", "at_least": 7}, filename="tuesday")["id"]
    chinese = ask(client, params={"city": "上海"}, filename="星期三")["id"]

    def found(words: str) -> list[str]:
        return ids(client.get(TASKS, params={"q": words}))

    assert found("berlin") == found("PAID monday") == found("erli day") == [berlin]
    assert found("köln") == found("7") == [cologne]
    assert found("上海") == found("期三") == [chinese]
    assert found("day") == [cologne, berlin]
    # Names of parameters are not searched, nor do `%` and `_` stand for others.
    assert found("at_least") == found("%") == found("berlin köln") == []


def test_a_task_of_an_older_version_is_found_by_its_name(api: TaskApi) -> None:
    client = api.person()
    task = ask(client, params={"city": "Berlin"}, filename="Old-File")
    with api.engine.begin() as connection:
        which = export_task.c.id == UUID(task["id"])
        connection.execute(sa.update(export_task).where(which).values(search_text=None))

    assert ids(client.get(TASKS, params={"q": "old-file"})) == [task["id"]]
    assert ids(client.get(TASKS, params={"q": "berlin"})) == []


def test_a_list_is_narrowed_by_the_time_of_asking(api: TaskApi) -> None:
    client = api.person()
    old, new = fill(client, 2)[::-1]
    with api.engine.begin() as connection:
        which = export_task.c.id == UUID(old)
        moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        connection.execute(sa.update(export_task).where(which).values(created_at=moment))

    day = {"created_from": "2026-03-01T12:00:00Z", "created_before": "2026-03-01T12:00:01Z"}
    assert ids(client.get(TASKS, params=day)) == [old]
    assert ids(client.get(TASKS, params={"created_before": "2026-03-01T12:00:00Z"})) == []
    assert ids(client.get(TASKS, params={"created_from": "2026-03-01T14:00:00+01:00"})) == [new]
    refused = client.get(TASKS, params={"created_from": "2026-03-01"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_a_page_is_sorted_by_name_size_age_and_state(api: TaskApi) -> None:
    client = api.person()
    big, small, _live, failed = (
        ask(client, params={"at_least": number}, filename=name)
        for number, name in enumerate(("b-big", "C-small", "a-live", "d-failed"))
    )
    for task, size in ((big, 2000), (small, 1000)):
        api.finish(task)
        with api.engine.begin() as connection:
            which = export_task.c.id == UUID(task["id"])
            connection.execute(sa.update(export_task).where(which).values(size_bytes=size))
    api.fail(failed)

    def names(order: str) -> list[str]:
        items = client.get(TASKS, params={"sort": order}).json()["items"]
        return [item["filename"][0].lower() for item in items]

    assert names("-created_at") == ["d", "a", "c", "b"]
    assert names("created_at") == ["b", "c", "a", "d"]
    assert names("filename") == ["a", "b", "c", "d"]
    assert names("-filename") == ["d", "c", "b", "a"]
    assert names("-size_bytes") == ["b", "c", "d", "a"]
    assert names("size_bytes") == ["c", "b", "d", "a"]
    assert names("status") == ["a", "d", "c", "b"]


def test_pages_of_another_order_have_no_cursor(api: TaskApi) -> None:
    client = api.person()
    fill(client, 3)

    page = client.get(TASKS, params={"sort": "filename", "page_size": 2})
    refused = client.get(TASKS, params={"sort": "filename", "cursor": ""})

    assert page.json()["next"] is None
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_waiting_exports_know_their_place_in_the_queue(api: TaskApi) -> None:
    client = api.person()
    # Tests share the queue of orders; the ledger's is this test's alone.
    person = api.person(roles=("finance",))
    for year in (2020, 2021):
        ask(api.person(roles=("finance",)), type="ledger", params={"year": year})
    first, second = (ask(person, type="ledger", params={"year": year}) for year in (2022, 2023))
    retrying = ask(person, type="ledger", params={"year": 2024})
    api.fail(retrying, retry_in=timedelta(minutes=5))
    ended = ask(person, type="ledger", params={"year": 2025})
    person.post(f"{TASKS}/{ended['id']}/cancel")

    places = person.get(f"{TASKS}/queue").json()["items"]

    assert [place["task_id"] for place in places] == [first["id"], second["id"]]
    ahead = [place["position"] for place in places]
    assert ahead[1] == ahead[0] + 1
    assert ahead[0] >= 3
    assert client.get(f"{TASKS}/queue").json() == {"items": []}
