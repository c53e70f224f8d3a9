"""`POST …/{id}/run-again`: the same request as a new task, in any state of the first."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import export_task

REQUEST = {
    "format": "csv",
    "params": {"city": "Rome", "status": "paid"},
    "csv": {"profile": "machine"},
    "notify": {"email": "team@acme.example"},
}


def stored(api: TaskApi, task_id: str) -> sa.RowMapping:
    with api.engine.connect() as connection:
        query = sa.select(export_task).where(export_task.c.id == UUID(task_id))
        return connection.execute(query).mappings().one()


@pytest.mark.parametrize("end", ["finish", "fail", "cancel"])
def test_what_was_asked_for_is_asked_for_again(api: TaskApi, end: str) -> None:
    client = api.person()
    task = ask(client, **REQUEST)
    if end == "cancel":
        client.post(f"{TASKS}/{task['id']}/cancel")
    else:
        getattr(api, end)(task)

    answer = client.post(f"{TASKS}/{task['id']}/run-again")

    again = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{TASKS}/{again['id']}"
    assert again["id"] != task["id"]
    assert (again["status"], again["deduplicated"]) == ("PENDING", False)
    for name in ("type", "format", "params", "csv", "filename", "filename_pattern"):
        assert again[name] == task[name], name
    old, new = stored(api, task["id"]), stored(api, again["id"])
    assert new["parent_id"] == old["id"]
    assert new["notify"] == old["notify"]
    assert new["request_hash"] == old["request_hash"]


def test_a_live_one_answers_itself(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)

    answer = client.post(f"{TASKS}/{task['id']}/run-again")

    assert (answer.status_code, answer.json()["id"]) == (200, task["id"])
    assert answer.json()["deduplicated"] is True


def test_a_doubled_click_is_one_export_even_if_the_first_has_ended(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)
    path, key = f"{TASKS}/{task['id']}/run-again", {"Idempotency-Key": "click-1"}

    first = client.post(path, headers=key)
    api.finish(first.json())
    second = client.post(path, headers=key)
    third = client.post(path, headers={"Idempotency-Key": "click-2"})

    assert (first.status_code, second.status_code, third.status_code) == (201, 200, 201)
    assert first.json()["id"] == second.json()["id"] != third.json()["id"]
    other = ask(client, params={"at_least": 1})
    refused = client.post(f"{TASKS}/{other['id']}/run-again", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("asked", "automatic"),
    [(None, True), ("weekly {today}", True), ("fixed {{today}}", False)],
)
def test_a_name_is_made_anew_on_another_day(
    api: TaskApi, asked: str | None, automatic: bool
) -> None:
    client = api.person()
    task = ask(client, **({"filename": asked} if asked else {}))
    api.finish(task)
    old = task["filename"].replace(datetime.now(UTC).date().isoformat(), "2026-01-02")
    with api.engine.begin() as connection:
        which = export_task.c.id == UUID(task["id"])
        connection.execute(sa.update(export_task).where(which).values(filename=old))

    again = client.post(f"{TASKS}/{task['id']}/run-again").json()

    assert again["filename"] == task["filename"]
    assert (again["filename"] != old) == automatic


def test_of_an_older_version_the_date_in_the_name_moves_on(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)
    with api.engine.begin() as connection:
        which = export_task.c.id == UUID(task["id"])
        values = {
            "filename": "{x}-2026-01-02.xlsx",
            "filename_pattern": None,
            "created_at": datetime(2026, 1, 2, 9, tzinfo=UTC),
        }
        connection.execute(sa.update(export_task).where(which).values(values))

    again = client.post(f"{TASKS}/{task['id']}/run-again").json()

    assert again["filename"] == f"{{x}}-{datetime.now(UTC).date()}.xlsx"


def test_r4_a_lost_role_stops_it(api: TaskApi) -> None:
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.finish(task)

    answer = api.person(tenant, roles=("support",)).post(f"{TASKS}/{task['id']}/run-again")

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_two_cities_have_two_names(api: TaskApi) -> None:
    client = api.person()

    names = [ask(client, params={"city": city})["filename"] for city in ("Rome", "Oslo")]

    today = datetime.now(UTC).date()
    assert names == [f"orders-{today}-Rome.xlsx", f"orders-{today}-Oslo.xlsx"]
