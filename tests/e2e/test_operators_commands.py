"""What operators ask by the command line: workers that live, tasks, datasets."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.support.eventually import wait_for
from tests.support.processes import api, ended, process, run
from tests.support.servers.ports import free_ports


def test_a_worker_is_known_while_it_lives_and_tasks_are_cancelled_and_retried(
    installation, rabbitmq_url
):
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    env = installation.env | {
        "WAYBILL_AMQP_URL": rabbitmq_url,
        "WAYBILL_WORKER_ADDRESS": address,
    }

    def doctor() -> dict[str, Any]:
        checks = json.loads(run(env, "doctor", "--json").stdout)
        return next(item for item in checks if item["check"] == "workers")

    def figure(client, name: str) -> str:
        lines = client.get("/metrics").text.splitlines()
        return next(line.split()[-1] for line in lines if line.startswith(name))

    run(env, "sample", "--orders", "10")
    with api(env, installation.log) as client:
        body = {"type": "users", "format": "csv", "params": {}}
        task = client.post("/api/export-tasks", json=body).json()
        alone = doctor()
        assert not alone["ok"]
        assert "No worker takes exports from 'users' (1 wait since" in alone["detail"]
        listed = json.loads(run(env, "tasks", "list", "--status", "pending", "--json").stdout)
        assert [item["id"] for item in listed] == [task["id"]]
        assert "download_url" not in listed[0]
        assert run(env, "tasks", "cancel", task["id"]).stdout == "Cancelled.\n"
        again = json.loads(run(env, "tasks", "retry", task["id"], "--json").stdout)

        with process(env, installation.log, "worker"):
            assert ended(client, again["id"])["status"] == "SUCCESS"
            wait_for(lambda: figure(client, 'waybill_workers{queue="users"}') == "1.0")
            assert doctor()["detail"] == "1 alive, every queue has one"
            own = httpx2.get(f"http://{address}/metrics").text
            assert 'waybill_queue_wait_seconds_count{queue="users"} 1.0\n' in own
            assert '_count{dataset="users",outcome="success"} 1.0\n' in own
            # API and worker each have a relay; either may have published.
            both = own + client.get("/metrics").text
            assert 'waybill_wake_ups_published_total{result="confirmed"}' in both

        # It ended in order.
        assert doctor()["detail"].startswith("0 alive; none for ")
        shown = run(env, "tasks", "show", task["id"]).stdout
        assert "CANCELLED" in shown
        assert "cancel " in shown
        refused = run(env, "tasks", "cancel", again["id"])
        assert (refused.returncode, refused.stderr) == (
            2, "waybill: The export has ended: SUCCESS.\n"
        )  # fmt: skip


def test_datasets_are_listed_with_parameters_and_columns(installation):
    found = {
        item["name"]: item
        for item in json.loads(run(installation.env, "datasets", "--json").stdout)
    }

    assert "id" in found["orders"]["columns"]
    assert {param["name"] for param in found["orders"]["params"]} >= {"city"}
    text = run(installation.env, "datasets").stdout
    assert "orders: Orders\n" in text
    assert "--param city=…" in text
