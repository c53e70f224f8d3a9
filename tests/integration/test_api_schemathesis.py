"""Schemathesis over every route of the OpenAPI document, against the real application.

Routes are taken from the document, so a new one is tested the day it is documented. All of
Schemathesis' checks are on; what is left out is named below, with its reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.task_api import OPERATOR, TaskApi, ask, running_api
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.queries.scope import ALL_TENANTS

SEED = 17
#: For each operation and phase. Twice as many find nothing more, and take 40 s.
EXAMPLES = 8

#: Operations whose rules a schema cannot say, so a request may fit the schema and be refused:
#: `type` and `params` belong to datasets, which differ by installation and are nobody else's
#: business; an Idempotency-Key excludes another body; a page excludes a cursor; so do the rules of
#: cron, of time zones and of addresses that may be notified.
BEYOND_SCHEMA = [
    ("POST", "/api/export-tasks"),
    ("POST", "/api/export-tasks/estimate"),
    ("GET", "/api/export-tasks"),
    ("GET", "/api/datasets/{name}/preview"),
    ("POST", "/api/datasets/{name}/preview"),
    ("POST", "/api/saved-exports"),
    ("PATCH", "/api/saved-exports/{saved_export_id}"),
    ("POST", "/api/schedules"),
    ("POST", "/api/schedules/preview"),
    ("PATCH", "/api/schedules/{schedule_id}"),
]


@pytest.fixture(scope="module")
def server(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("schemathesis")
    with postgres_server.database() as url, running_api(url, home) as api:
        yield api


def endless(document: dict[str, Any]) -> list[str]:
    """Event streams: their answer has no end to wait for."""
    return [
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "text/event-stream" in str(operation["responses"])
    ]


def configuration(path: Path, tasks: list[str], letter: int) -> Path:
    """Values that exist, so that more than refusals is seen; most of them are still made up."""
    known = {"task_id": tasks, "letter_id": [letter], "type": ["orders", "ledger"]}
    lines = [
        "[dictionaries]",
        *(f"{name} = {{ values = {json.dumps(values)} }}" for name, values in known.items()),
        "[parameters]",
        *(
            f'"{place}" = {{ dictionary = "{name}", probability = 0.6 }}'
            for place, name in (
                ("path.task_id", "task_id"),
                ("path.letter_id", "letter_id"),
                ("body.type", "type"),
            )
        ),
    ]
    for method, address in BEYOND_SCHEMA:
        lines += [
            "[[operations]]",
            f'include-method = "{method}"',
            f'include-path = "{address}"',
            "checks.positive_data_acceptance.enabled = false",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def seeded(api: TaskApi, tenant: str) -> tuple[list[str], int]:
    """Ids of tasks in every state, and of a dead letter."""
    client = api.person(tenant)
    tasks = [ask(client, params={"city": f"city {number}"}) for number in range(5)]
    running, done, failed, cancelled, _pending = tasks
    api.begin(running)
    api.finish(done)
    api.fail(failed)
    client.post(f"/api/export-tasks/{cancelled['id']}/cancel")
    letters = DeadLetters(api.engine)
    letters.record(b"not a message", "orders", "poison")
    [letter, *_] = letters.list(ALL_TENANTS, open_only=True, limit=1)
    return [task["id"] for task in tasks], letter.id


def test_schemathesis_finds_nothing_on_any_route(server: TaskApi, tmp_path: Path) -> None:
    tenant = server.tenant()
    token = server.token(tenant, roles=("sales", "finance", OPERATOR))
    document = server.client().get("/openapi.json").json()
    config = configuration(tmp_path / "schemathesis.toml", *seeded(server, tenant))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
            *("run", f"{server.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--seed", str(SEED), "--max-examples", str(EXAMPLES), "--workers", "2"),
            *("--generation-database", "none", "--no-color", "--wait-for-schema", "10"),
            *(part for path in endless(document) for part in ("--exclude-path", path)),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=170,
        check=False,
    )

    operations = sum(len(item) for item in document["paths"].values())
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{operations - len(endless(document))} selected / {operations} total" in done.stdout
