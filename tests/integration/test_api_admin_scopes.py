"""R35: an admin administers their own tenant; an operator sees all, and leaves a trace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, ask, running_api
from waybill.infra.broker.port import WakeUp
from waybill.infra.tasks.queries.scope import ALL_TENANTS


class Tenant:
    """A tenant with a finished, a running and a failed export, and a dead letter."""

    def __init__(self, api: TaskApi) -> None:
        self.api = api
        self.name = api.tenant()
        owner = api.person(self.name)
        self.tasks = [ask(owner, params={"at_least": number}) for number in range(3)]
        done, self.running, self.failed = self.tasks
        api.finish(done)
        claim = api.begin(self.failed)
        api.runs.fail(claim, code="broken", message="Broken.", retry_in=None)
        api.begin(self.running)
        letters = api.services.dead_letters
        letters.record(WakeUp(claim.task.id, 2, "dead").encode(), "q", f"broken in {self.name}")
        self.letter = next(
            item.id for item in letters.list(ALL_TENANTS) if item.tenant == self.name
        )

    def traces(self, **more: Any) -> list[dict[str, Any]]:
        """What the tenant's own log says about the reads of operators."""
        found = self.api.services.admin_queries.audit(
            ALL_TENANTS, tenant=self.name, action="oversight_read", **more
        )
        return [
            {**(item.detail or {}), "by": (item.actor, item.actor_tenant), "hour": item.at.hour}
            for item in found
        ]


def admin_routes(client: httpx2.Client) -> list[str]:
    """Every route that admins read, with a filter or without, and their pages."""
    paths = client.get("/openapi.json").json()["paths"]
    reads = [path for path in paths if path.startswith("/api/admin/") and "get" in paths[path]]
    assert len(reads) >= 9
    pages = ["", "/exports", "/exports/{task_id}", "/dead-letters", "/audit-log"]
    return [*reads, *(f"/admin{page}" for page in pages)]


def read_all(client: httpx2.Client, tenant: Tenant, *, narrowed: bool) -> dict[str, str]:
    """The answer of each admin route, as a token and as a session."""
    client.cookies.set("waybill_session", client.headers["Authorization"].partition(" ")[2])
    query = {"tenant": tenant.name, "task_id": tenant.failed["id"]} if narrowed else {}
    answers = {}
    for path in admin_routes(client):
        ids = {"letter_id": tenant.letter, "task_id": tenant.failed["id"]}
        answer = client.get(path.format(**ids), params=query)
        answers[path] = f"{answer.status_code} {answer.text}"
    return answers


@pytest.mark.parametrize("narrowed", [False, True], ids=["everything", "asked for by name"])
def test_r35_no_admin_route_shows_an_admin_anything_of_another_tenant(
    api: TaskApi, narrowed: bool
) -> None:
    acme = Tenant(api)
    eve = api.person(roles=("admin",))
    own = api.person(acme.name, "ida", roles=("admin",))

    foreign, theirs = (read_all(user, acme, narrowed=narrowed) for user in (eve, own))

    secrets = [acme.name, *(task["id"] for task in acme.tasks)]
    for path, text in foreign.items():
        # The form of a page repeats its own filter.
        shown = text.replace(f'value="{acme.name}"', "").replace(f'"{acme.failed["id"]}"', "")
        assert [secret for secret in secrets if secret in shown] == [], path
    assert foreign["/api/admin/dead-letters/{letter_id}"].startswith("404")
    assert foreign["/api/admin/export-tasks/{task_id}"].startswith("404")
    assert foreign["/admin/exports/{task_id}"].startswith("404")
    # Of the installation, and so of no tenant.
    for path in ("workers", "holdings", "pauses"):
        assert theirs.pop(f"/api/admin/{path}").startswith("403")
    for path, text in theirs.items():
        if path.rpartition("/")[2] not in ("webhook-secrets", "queues", "statistics"):
            assert text.startswith("200"), path
            assert acme.name in text, path
    assert acme.traces() == []


def test_r35_figures_are_those_of_the_own_tenant(api: TaskApi) -> None:
    acme = Tenant(api)
    eve, ida = api.person(roles=("admin",)), api.person(acme.name, roles=("admin",))

    def figures(client: httpx2.Client) -> tuple[list[Any], int]:
        hours = client.get("/api/admin/statistics").json()["items"]
        queues = client.get("/api/admin/queues").json()["items"]
        ended = sum(hour["succeeded"] + hour["failed"] for hour in hours)
        return [(item["waiting"], item["running"]) for item in queues], ended

    assert figures(eve) == ([], 0)
    assert figures(ida) == ([(0, 1)], 2)


@pytest.mark.parametrize("page", ["", "/admin"], ids=["over the API", "on the page"])
def test_r35_an_admin_replays_no_dead_letter_of_another_tenant(api: TaskApi, page: str) -> None:
    acme = Tenant(api)
    path = f"{page or '/api/admin'}/dead-letters/{acme.letter}/replay"

    def replay(client: httpx2.Client) -> httpx2.Response:
        client.cookies.set("waybill_session", client.headers["Authorization"].partition(" ")[2])
        return client.post(path, headers={"Origin": api.url})

    refused = replay(api.person(roles=("admin",)))
    assert (refused.status_code, refused.json()["code"]) == (404, "dead_letter_not_found")
    assert api.services.dead_letters.get(ALL_TENANTS, acme.letter).replayed_at is None

    assert replay(api.person(acme.name, "ida", roles=("admin",))).status_code in (200, 303)
    assert api.services.dead_letters.get(ALL_TENANTS, acme.letter).replayed_by == "ida"


@pytest.mark.parametrize("role", ["admin", OPERATOR])
def test_r35_neither_role_exports_a_dataset_that_it_has_no_role_for(
    api: TaskApi, role: str
) -> None:
    client = api.person(roles=(role,))

    answer = client.post(TASKS, json={"type": "orders", "format": "csv"})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert client.get("/api/datasets").json()["items"] == []


def test_r35_each_read_of_an_operator_is_in_the_log_of_the_tenant_once_an_hour(
    api: TaskApi,
) -> None:
    acme = Tenant(api)
    tenant = api.tenant()
    operator = api.person(tenant, "olga", roles=(OPERATOR,))

    for _ in range(2):
        read_all(operator, acme, narrowed=True)

    reads = acme.traces(actor="olga")
    each = [(item["read"], str(item["filter"]), item["hour"]) for item in reads]
    assert {item["by"] for item in reads} == {("olga", tenant)}
    assert {read for read, *_ in each} == {
        "tasks", "audit log", "dead letters", "leases", "notifications"
    }  # fmt: skip
    assert len(each) == len(set(each))
    logs = [item for item in reads if item["read"] == "audit log"]
    [log, *_] = [item for item in logs if "tenant" in item["filter"]]
    assert log["filter"] == {"tenant": acme.name, "task_id": acme.failed["id"]}
    assert ida_sees(api, acme, "olga") == len(reads)


def ida_sees(api: TaskApi, acme: Tenant, actor: str) -> int:
    """How many of an operator's reads the tenant's own admin finds in the log."""
    ida = api.person(acme.name, "ida", roles=("admin",))
    query = {"action": "oversight_read", "actor": actor}
    return len(ida.get("/api/admin/audit-log", params=query).json()["items"])


def test_r35_an_operators_own_tenant_leaves_no_trace_and_a_replay_says_who_it_was(
    api: TaskApi,
) -> None:
    acme = Tenant(api)
    insider = api.person(acme.name, "olga", roles=(OPERATOR,))
    read_all(insider, acme, narrowed=True)
    assert acme.traces() == []

    tenant = api.tenant()
    outsider = api.person(tenant, "ana", roles=(OPERATOR,))
    outsider.post(f"/api/admin/dead-letters/{acme.letter}/replay")

    # Her name is also that of the owner; the tenant and the kind tell the two apart.
    [replay] = api.services.admin_queries.audit(ALL_TENANTS, tenant=acme.name, action="replay")
    assert (replay.actor, replay.actor_tenant, replay.actor_kind) == ("ana", tenant, "operator")
    [submit, *_] = api.services.admin_queries.audit(
        ALL_TENANTS, task_id=UUID(acme.failed["id"]), action="submit"
    )
    assert (submit.actor_tenant, submit.actor_kind) == (acme.name, "user")
    [claim] = api.services.admin_queries.audit(
        ALL_TENANTS, task_id=UUID(acme.running["id"]), action="claim"
    )
    assert (claim.actor_tenant, claim.actor_kind) == (None, "worker")


def test_r35_only_tokens_of_the_operators_tenants_carry_the_role(tmp_path: Any) -> None:
    database = f"sqlite:///{tmp_path}/tasks.db"
    named = {"operator_role": "root", "operator_tenants": "ops, staff", "admin_role": "boss"}
    with running_api(database, tmp_path, **named) as api:
        acme = Tenant(api)

        def sees(tenant: str, *roles: str) -> tuple[int, bool]:
            answer = api.person(tenant, roles=roles).get("/api/admin/export-tasks")
            return answer.status_code, acme.name in answer.text

        assert sees("staff", "root") == (200, True)
        assert sees("evil", "root") == (403, False)
        assert sees("evil", "root", "boss") == (200, False)
        assert sees("ops", "boss") == (200, False)
        assert sees("ops", "waybill-operator", "admin") == (403, False)
