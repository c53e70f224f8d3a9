"""Colleagues who share one run, over real processes: its worker is killed, its owner leaves."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import TASKS, died, kill_at
from tests.support.processes import SECRET
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load

PEOPLE = [f"user-{number}" for number in range(6)]


@pytest.fixture
def people(api, clean):
    """Clients of six colleagues, and one of another tenant."""
    settings, clients = load(jwt_secret=SECRET), []
    for user, tenant in [*((user, "acme") for user in PEOPLE), ("user-0", "other")]:
        token = mint(settings, user, tenant, frozenset({"sales"}), timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        clients.append(httpx2.Client(base_url=clean.client.base_url, headers=headers, timeout=30))
    yield clients
    for client in clients:
        client.close()


def ask(bench, client, **params) -> str:
    body = {"type": "numbers", "format": "csv", "params": params}
    answer = client.post(TASKS, json=body)
    assert answer.status_code == 202, answer.text
    bench.accepted.append(answer.json()["id"])
    return bench.accepted[-1]


def test_followers_of_a_killed_worker_get_the_file_of_the_next_attempt(clean, people):
    with clean.worker(**kill_at("w.before_complete")) as doomed:
        tasks = [ask(clean, client, rows=5000, tag="shared") for client in people]
        died(doomed)
    with clean.worker():
        rows = {str(row["id"]): row for row in clean.ended(*tasks)}
    *ours, theirs = (rows[task_id] for task_id in tasks)
    assert {row["status"] for row in rows.values()} == {"SUCCESS"}
    assert len({row["object_key"] for row in ours}) == 1
    assert theirs["object_key"] != ours[0]["object_key"]
    assert sorted(row["attempt"] for row in ours) == [0] * 5 + [ours[0]["attempt"]]
    clean.audit()


def test_when_the_leader_is_cancelled_a_colleague_runs_for_the_others(clean, people):
    asked = [
        client.post(
            TASKS, json={"type": "slow", "format": "csv", "params": {"seconds": 2, "tag": "s"}}
        ).json()["id"]
        for client in people[:4]
    ]
    clean.accepted.extend(asked)
    with clean.worker():
        wait_for(lambda: clean.is_running(asked[0]))
        assert people[0].post(f"{TASKS}/{asked[0]}/cancel").status_code == 202
        rows = {str(row["id"]): row for row in clean.ended(*asked)}
    cancelled, *others = (rows[task_id] for task_id in asked)
    assert cancelled["status"] == "CANCELLED"
    assert [row["attempt"] for row in others] == [1, 0, 0]
    assert len({row["object_key"] for row in others}) == 1
    link = people[3].get(f"{TASKS}/{asked[3]}/download", headers={"Accept": "application/json"})
    assert httpx2.get(link.json()["url"]).is_success
    clean.audit()
