"""Where from: each entry of the audit log names its request, and log-ins are entries, too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.tables import audit_log
from waybill.infra.tasks.session_log import MAX_PER_HOUR, SessionLog


def entries(api: TaskApi, condition: Any, *, at_least: int) -> list[sa.RowMapping]:
    """What the log holds, once there is as much: some is written after the answer."""
    query = sa.select(audit_log).where(condition).order_by(audit_log.c.id)

    def read() -> list[sa.RowMapping] | None:
        with api.engine.connect() as connection:
            rows = list(connection.execute(query).mappings())
        return rows if len(rows) >= at_least else None

    return wait_for(read)


def log_in(api: TaskApi, token: str) -> httpx2.Response:
    return api.client().post("/session", data={"token": token}, headers={"Origin": api.url})


def test_r41_an_entry_names_the_request_and_its_address_and_a_workers_entry_none(
    api: TaskApi,
) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    answer = client.post(TASKS, json={"type": "orders", "format": "xlsx"})
    task = answer.json()
    api.finish(task)
    refused = api.person(tenant, roles=()).get(f"{TASKS}/{task['id']}/download")

    of_task = audit_log.c.task_id == UUID(task["id"])
    found = {
        entry["action"]: (entry["request_id"], entry["address"])
        for entry in entries(api, of_task, at_least=4)
    }

    assert found == {
        "submit": (answer.headers["X-Request-Id"], "127.0.0.1"),
        "claim": (None, None),
        "finish": (None, None),
        "refused": (refused.headers["X-Request-Id"], "127.0.0.1"),
    }


def test_r41_who_logs_in_is_recorded(api: TaskApi) -> None:
    tenant = api.tenant()
    token = api.token(tenant, "ida", roles=("sales", "admin"))

    answer = log_in(api, token)

    [entry] = entries(api, audit_log.c.tenant_id == tenant, at_least=1)
    assert (entry["action"], entry["actor"], entry["actor_tenant"]) == (
        "session_begin", "ida", tenant
    )  # fmt: skip
    assert (entry["request_id"], entry["address"]) == (
        answer.headers["X-Request-Id"], "127.0.0.1"
    )  # fmt: skip
    assert entry["detail"] == {"roles": ["admin", "sales"]}
    assert token not in str(entry)


def test_r41_who_is_refused_is_recorded_without_the_token(api: TaskApi) -> None:
    bad = [api.token(api.tenant()) + "x", "nonsense", "n" * 5_000]
    answers = [log_in(api, token) for token in [*bad, ""]]

    ids = [answer.headers["X-Request-Id"] for answer in answers]
    found = entries(api, audit_log.c.request_id.in_(ids), at_least=3)

    assert {entry["action"] for entry in found} == {"session_refused"}
    assert {(entry["actor"], entry["tenant_id"]) for entry in found} == {("unknown", "")}
    assert sorted(entry["detail"]["reason"] for entry in found) == [
        "token_refused", "token_refused", "token_too_long"
    ]  # fmt: skip
    assert not any(token in str(found) for token in bad)


def test_r41_a_flood_of_log_ins_is_recorded_up_to_a_bound(api: TaskApi) -> None:
    log = SessionLog(api.engine, clock=lambda: 1.0)
    user = Principal("ana", api.tenant())

    for _ in range(MAX_PER_HOUR + 5):
        log.begun(user)

    found = entries(api, audit_log.c.tenant_id == user.tenant, at_least=MAX_PER_HOUR)
    assert len(found) == MAX_PER_HOUR
    assert ["note" in entry["detail"] for entry in found] == [False] * 19 + [True]
    assert ask(api.person(user.tenant))["status"] == "PENDING"
