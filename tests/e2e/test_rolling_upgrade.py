"""Processes of an earlier version beside those of this one, and the way back. 0 lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.processes import api, process, run
from tests.support.wheels import python_of_commit
from waybill.infra.db.engine import create_engine
from waybill.infra.db.schema import TableSchema
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.states import TaskStatus

#: Tables at revision 0019; it publishes and claims without traces.
EARLIER = "60a7c56ea6"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_of_commit(EARLIER, tmp_path_factory.mktemp("earlier"))


@pytest.mark.timeout(500)
def test_an_upgrade_under_load_and_the_way_back_lose_no_export(
    earlier: Path, installation, rabbitmq_url: str
) -> None:
    env = installation.env | {"WAYBILL_AMQP_URL": rabbitmq_url}
    old = (str(earlier), "-m", "waybill")
    engine = create_engine(installation.database, schema=TableSchema(None))
    asked: list[str] = []

    def ask(client: Any, count: int) -> None:
        for _ in range(count):
            body = {"type": "users", "format": "csv", "params": {}, "filename": f"n{len(asked)}"}
            answer = client.post("/api/export-tasks", json=body)
            assert answer.status_code == 202, answer.text
            asked.append(answer.json()["id"])

    def ended(status: TaskStatus = TaskStatus.SUCCESS) -> int:
        with engine.connect() as connection:
            counted = sa.select(sa.func.count()).where(export_task.c.status == status)
            return connection.execute(counted).scalar_one()

    def workers_ready() -> int:
        return installation.log.read_text().count('"worker ready"')

    assert run(env, "migrate", command=old).returncode == 0
    assert run(env, "sample", "--orders", "50", command=old).returncode == 0
    with ExitStack() as stack:
        client = stack.enter_context(api(env, installation.log, command=old))
        with process(env, installation.log, "worker", command=old):
            wait_for(lambda: workers_ready() == 1, seconds=120)
            ask(client, 5)
            # While it works: the tables change under it.
            assert run(env, "migrate").stdout
            ask(client, 5)
            newer = stack.enter_context(api(env, installation.log))
            with process(env, installation.log, "worker"):
                wait_for(lambda: workers_ready() == 2, seconds=120)
                for _ in range(4):
                    ask(client, 1)
                    ask(newer, 1)
                wait_for(lambda: ended() == len(asked), seconds=120)
                for each in (client, newer):
                    listed = each.get("/api/export-tasks", params={"page_size": 100}).json()
                    assert listed["total"] == len(asked)
        # The new worker has ended, the old one too: what both APIs accept now waits.
        ask(client, 3)
        ask(newer, 3)
        # The way back: the old version takes them from the newer tables.
        with process(env, installation.log, "worker", command=old):
            wait_for(lambda: workers_ready() == 3, seconds=120)
            wait_for(lambda: ended() == len(asked), seconds=120)
        ask(client, 2)
        with process(env, installation.log, "worker"):
            wait_for(lambda: workers_ready() == 4, seconds=120)
            wait_for(lambda: ended() == len(asked), seconds=120)
    engine.dispose()
    assert len(asked) == len(set(asked)) == 26
