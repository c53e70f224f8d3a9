"""R35: the admins of two tenants against each other, on every route that there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.api_routes import routes_of
from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, ask
from waybill.api.app import create_app
from waybill.infra.broker.port import WakeUp
from waybill.infra.db.tables import dead_letter, metadata
from waybill.infra.tasks.queries.scope import ALL_TENANTS

REQUEST = {"type": "orders", "format": "xlsx", "params": {}}
#: What a request with a body needs, by the end of its path; others get an empty object.
BODIES: dict[str, dict[str, Any]] = {
    TASKS: REQUEST,
    "/estimate": REQUEST,
    "/api/saved-exports": {"name": "y", "request": REQUEST},
    "/dismiss": {"note": "Mine."},
}
#: Streams do not end, and `session` routes are about the caller alone.
LEFT_OUT = ("/events", "/session", "/static")

#: What belongs to no tenant.
OF_A_DATASET = {"name": "orders", "param": "city", "kind": "dataset"}


def of_one_tenant(api: TaskApi) -> tuple[str, dict[str, str]]:
    """A tenant with one of everything, and what routes call it."""
    tenant = api.tenant()
    owner = api.person(tenant)
    saved = owner.post("/api/saved-exports", json={"name": "x", "request": REQUEST}).json()
    shared = {"shared": True}
    assert owner.patch(f"/api/saved-exports/{saved['id']}", json=shared).status_code == 200
    plan = {"saved_export_id": saved["id"], "cron": "0 8 * * 1", "timezone": "UTC"}
    schedule = owner.post("/api/schedules", json=plan).json()
    failed, done = ask(owner, params={"at_least": 1}), ask(owner)
    api.finish(done)
    claim = api.begin(failed)
    api.runs.fail(claim, code="broken", message="Broken.", retry_in=None)
    letters = api.services.dead_letters
    letters.record(WakeUp(claim.task.id, 2, "dead").encode(), "q", f"broken in {tenant}")
    [letter] = [item.id for item in letters.list(ALL_TENANTS) if item.tenant == tenant]
    link = owner.post(f"{TASKS}/{done['id']}/links", json={}).json()
    return tenant, {
        "task_id": done["id"],
        "link_id": link["id"],
        "token": link["token"],
        "saved_export_id": saved["id"],
        "schedule_id": schedule["id"],
        "letter_id": str(letter),
        **OF_A_DATASET,
    }


def unknown(names: dict[str, str]) -> dict[str, str]:
    """Names of things that never were."""
    made = {name: str(uuid4()) for name in names}
    return made | OF_A_DATASET | {"letter_id": "2000000000", "token": "x" * 43}


def rows_of(api: TaskApi, tenant: str, letter: str) -> dict[str, list[str]]:
    """Every row of the tenant but those of its audit log, which grows by refusals."""
    found = {}
    with api.engine.connect() as connection:
        its = sa.select(dead_letter).where(dead_letter.c.id == int(letter))
        found["dead_letter"] = list(map(str, connection.execute(its)))
        for table in metadata.sorted_tables:
            if "tenant_id" in table.c and table.name != "audit_log":
                rows = connection.execute(sa.select(table).where(table.c.tenant_id == tenant))
                found[table.name] = sorted(map(str, rows))
    return found


def calls(api: TaskApi, names: dict[str, str]) -> Iterator[tuple[str, str, list[str]]]:
    """Each route with the addresses to try: all verbs of the admin's actions, each named thing."""
    for method, path in routes_of(create_app(api.services)):
        if path.startswith("/session") or path.endswith(LEFT_OUT):
            continue
        actions = ("cancel", "retry") if "{action}" in path else ("",)
        yield method, path, [path.format(**names, action=action) for action in actions]


def seen(client: httpx2.Client, method: str, address: str, path: str) -> tuple[int, str]:
    body = next((BODIES[end] for end in BODIES if path.endswith(end)), {})
    answer = client.request(
        method, address, json=body if method in ("POST", "PATCH") else None, follow_redirects=False
    )
    return answer.status_code, f"{answer.headers} {answer.text}"


@pytest.mark.parametrize("roles", [("admin",), ("admin", "sales")], ids=["admin", "with the role"])
def test_r35_no_route_lets_an_admin_reach_into_another_tenant(
    api: TaskApi, roles: tuple[str, ...]
) -> None:
    (acme, theirs), (evil, _) = of_one_tenant(api), of_one_tenant(api)
    eve = api.person(evil, "eve", roles)
    eve.cookies.set("waybill_session", eve.headers["Authorization"].partition(" ")[2])
    eve.headers["Origin"] = api.url
    never, own = unknown(theirs), set(theirs.values()) - set(OF_A_DATASET.values())
    before = rows_of(api, acme, theirs["letter_id"])
    assert sum(map(len, before.values())) >= 6

    wrong = []
    for (method, path, real), (_, _, other) in zip(
        calls(api, theirs), calls(api, never), strict=True
    ):
        for address, nowhere in zip(real, other, strict=True):
            status, text = seen(eve, method, address, path)
            shown = text.replace(address, "")
            told = [name for name in own if len(name) > 6 and name in shown]
            if acme in shown or told:
                wrong.append(f"{method} {path} shows {told or acme}")
            if status >= 500:
                wrong.append(f"{method} {path} is {status}")
            if "{" in path and status != seen(eve, method, nowhere, path)[0]:
                wrong.append(f"{method} {path} tells that it exists: {status}")
    assert wrong == []
    assert rows_of(api, acme, theirs["letter_id"]) == before


def test_r35_their_own_admin_and_an_operator_reach_what_is_walked(api: TaskApi) -> None:
    """The walk asks for what is there: otherwise it would prove nothing."""
    tenant, names = of_one_tenant(api)
    for client in (api.person(tenant, "ida", ("admin",)), api.person(roles=(OPERATOR,))):
        for path in ("dead-letters/{letter_id}", "export-tasks/{task_id}"):
            assert client.get(f"/api/admin/{path}".format(**names)).status_code == 200
    owner = api.person(tenant)
    for path in ("export-tasks/{task_id}", "saved-exports/{saved_export_id}"):
        assert owner.get(f"/api/{path}".format(**names)).status_code == 200
