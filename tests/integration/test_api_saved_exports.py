"""`/api/saved-exports`: saved, shared, changed and run, each by those who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TaskApi
from waybill.infra.db.tables import saved_export
from waybill.infra.tasks.queries.scope import ALL_TENANTS

PATH = "/api/saved-exports"
REQUEST = {"type": "orders", "format": "csv", "params": {"city": "Rome"}}


def save(client: httpx2.Client, name: str = "Rome", **more: Any) -> dict[str, Any]:
    """A saved export that must be accepted."""
    answer = client.post(PATH, json={"name": name, "request": REQUEST, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    return body


def names(client: httpx2.Client) -> list[str]:
    return [item["name"] for item in client.get(PATH).json()["items"]]


def test_what_is_saved_is_read_back_and_run(api: TaskApi) -> None:
    ana = api.person()
    saved = save(ana, "  Rome   weekly ")

    assert saved["name"] == "Rome weekly"
    assert saved["request"] == REQUEST
    assert (saved["mine"], saved["editable"], saved["shared"]) == (True, True, False)
    assert (saved["problem"], saved["timezone"]) == (None, "UTC")
    assert ana.get(f"{PATH}/{saved['id']}").json() == saved

    answer = ana.post(f"{PATH}/{saved['id']}/run")
    assert answer.status_code == 202
    task = answer.json()
    assert (task["type"], task["format"], task["params"]["city"]) == ("orders", "csv", "Rome")
    assert answer.headers["location"] == f"/api/export-tasks/{task['id']}"
    assert ana.post(f"{PATH}/{saved['id']}/run").json()["id"] == task["id"]


def test_a_name_is_unique_for_its_owner_and_not_beyond(api: TaskApi) -> None:
    tenant = api.tenant()
    ana, bob = api.person(tenant), api.person(tenant, "bob")
    save(ana, "Straße")
    save(bob, "Straße")

    answer = ana.post(PATH, json={"name": "STRASSE", "request": REQUEST})
    other = save(ana, "other")
    renamed = ana.patch(f"{PATH}/{other['id']}", json={"name": "straße"})

    for refused in (answer, renamed):
        assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"name": " "}, 422, "invalid_request"),
        ({"request": {**REQUEST, "type": "nowhere"}}, 422, "unknown_dataset"),
        ({"request": {**REQUEST, "type": "ledger"}}, 403, "permission_denied"),
        ({"request": {**REQUEST, "params": {"town": "Rome"}}}, 422, "invalid_request"),
        ({"request": {**REQUEST, "format": "docx"}}, 422, "invalid_request"),
        ({"request": {**REQUEST, "notify": {"email": "ana@acme.example"}}}, 422, "invalid_request"),
        ({"timezone": "Mars/Olympus"}, 422, "invalid_request"),
        ({"owner": "bob"}, 422, "invalid_request"),
    ],
)
def test_what_could_not_be_run_is_not_saved(
    api: TaskApi, changes: dict[str, Any], status: int, code: str
) -> None:
    ana = api.person()

    answer = ana.post(PATH, json={"name": "x", "request": REQUEST} | changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert names(ana) == []


def test_a_change_names_the_version_that_it_changes(api: TaskApi) -> None:
    ana = api.person()
    saved = save(ana)
    path = f"{PATH}/{saved['id']}"
    tag = ana.get(path).headers["etag"]

    changed = ana.patch(path, json={"shared": True}, headers={"If-Match": tag})
    late = ana.patch(path, json={"shared": False}, headers={"If-Match": tag})
    gone = ana.delete(path, headers={"If-Match": tag})

    assert (changed.status_code, changed.json()["shared"]) == (200, True)
    assert [(it.status_code, it.json()["code"]) for it in (late, gone)] == [
        (412, "changed_meanwhile")
    ] * 2
    assert ana.delete(path, headers={"If-Match": changed.headers["etag"]}).status_code == 204
    assert ana.get(path).json()["code"] == "saved_export_not_found"


def test_shared_ones_are_seen_by_those_who_may_export_them_and_run_as_themselves(
    api: TaskApi,
) -> None:
    tenant = api.tenant()
    ana, bob = api.person(tenant), api.person(tenant, "bob")
    support = api.person(tenant, "sue", ("support",))
    save(ana, "mine alone")
    shared = save(ana, "for all", shared=True)
    path = f"{PATH}/{shared['id']}"

    assert names(ana) == ["for all", "mine alone"]
    assert names(bob) == ["for all"]
    assert names(support) == names(api.person()) == []
    assert bob.get(path).json() | {"mine": True, "editable": True} == ana.get(path).json()
    assert support.get(path).status_code == 404

    task = bob.post(f"{path}/run").json()
    assert task["created_by"] == "bob"
    assert bob.get(f"/api/export-tasks/{task['id']}").status_code == 200
    assert ana.get(f"/api/export-tasks/{task['id']}").status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_only_the_owner_and_admins_of_the_tenant_change_one(api: TaskApi, method: str) -> None:
    tenant = api.tenant()
    ana, bob = api.person(tenant), api.person(tenant, "bob")
    path = f"{PATH}/{save(ana, shared=True)['id']}"
    body = {"name": "new"} if method == "PATCH" else None

    def ask(client: httpx2.Client) -> int:
        return client.request(method, path, json=body).status_code

    assert ask(bob) == 403
    assert ask(api.person(roles=("admin",))) == ask(api.person(roles=("waybill-operator",))) == 404
    assert ask(api.person(tenant, "boss", ("admin",))) in (200, 204)


def test_a_dataset_that_is_not_allowed_any_more_is_a_state_and_no_crash(api: TaskApi) -> None:
    tenant = api.tenant()
    saved = save(api.person(tenant))
    moved = api.person(tenant, roles=("finance",))

    body = moved.get(f"{PATH}/{saved['id']}").json()

    assert body["problem"]["code"] == "permission_denied"
    assert body["params_now"] is None
    assert moved.post(f"{PATH}/{saved['id']}/run").status_code == 403
    assert names(moved) == ["Rome"]


def test_a_dataset_or_a_parameter_that_disappeared_is_a_state_and_no_crash(api: TaskApi) -> None:
    ana = api.person()
    lost, changed = save(ana, "lost"), save(ana, "changed")
    for saved, request in (
        (lost, {**REQUEST, "type": "of-yesterday"}),
        (changed, {**REQUEST, "params": {"town": "Rome"}}),
    ):
        with api.engine.begin() as connection:
            which = saved_export.c.id == UUID(saved["id"])
            connection.execute(sa.update(saved_export).where(which).values(request=request))

    codes = {item["name"]: item["problem"]["code"] for item in ana.get(PATH).json()["items"]}

    assert codes == {"lost": "unknown_dataset", "changed": "invalid_request"}
    assert ana.post(f"{PATH}/{lost['id']}/run").json()["code"] == "unknown_dataset"
    assert ana.post(f"{PATH}/{changed['id']}/run").json()["code"] == "invalid_request"
    assert ana.patch(f"{PATH}/{lost['id']}", json={"name": "still there"}).status_code == 200
    assert ana.patch(f"{PATH}/{lost['id']}", json={"request": REQUEST}).json()["problem"] is None


def test_the_list_is_read_in_parts(api: TaskApi) -> None:
    ana = api.person()
    for number in range(5):
        save(ana, f"no {number}")
    found, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        part = ana.get(PATH, params=query).json()
        found += [item["name"] for item in part["items"]]
        if (after := part["next"]) is None:
            break
    assert found == [f"no {number}" for number in range(5)]
    assert ana.get(PATH, params={"after": str(uuid4())}).json()["items"] == []


def test_changes_are_audited_without_their_content(api: TaskApi) -> None:
    tenant = api.tenant()
    ana = api.person(tenant)
    path = f"{PATH}/{save(ana)['id']}"
    ana.patch(path, json={"name": "secret name"})
    ana.delete(path)

    entries = [
        entry
        for entry in api.services.admin_queries.audit(ALL_TENANTS, tenant=tenant)
        if entry.action.startswith("saved_export")
    ]

    assert [entry.action for entry in entries][::-1] == [
        "saved_export_created",
        "saved_export_changed",
        "saved_export_deleted",
    ]
    assert "secret name" not in repr(entries)
