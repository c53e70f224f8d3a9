"""R53: `/metrics` for those who may read it; one count serves any number of readers."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.datastructures import Address

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api, serve
from tests.support.task_tables import sqlite_tables
from waybill.api.app import create_app
from waybill.api.health.figures import Figures
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.log_floods import FloodFilter
from waybill.infra.config.settings import load
from waybill.infra.config.weak_secrets import weak_secrets
from waybill.infra.metrics.catalogue import NEXT_CUT
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.states import TaskStatus

TOKEN = "7f3c1d0a9b8e4f65a2d1c0b3"


def test_r53_forty_readers_cost_the_database_one_count(api: TaskApi) -> None:
    client = api.person()
    ask(client)
    statements: list[str] = []

    def note(_connection, _cursor, statement: str, *_more: object) -> None:
        statements.append(statement)

    with serve(create_app(api.services, denylist_period=timedelta(days=1))) as url:
        api.client(base_url=url).get("/healthz")
        sa.event.listen(api.engine, "before_cursor_execute", note)
        try:
            with ThreadPoolExecutor(40) as readers:
                reader = api.client(base_url=url)
                texts = set(readers.map(lambda _: reader.get("/metrics").text, range(120)))
        finally:
            sa.event.remove(api.engine, "before_cursor_execute", note)

        assert client.get(TASKS).status_code == 200
    assert len(texts) == 1
    counts = [text for text in statements if "count(" in text.lower()]
    assert len(counts) == len(set(counts)) > 0


def test_r53_tasks_are_counted_in_indexes_of_their_states(tmp_path: Path) -> None:
    statements: list[str] = []
    with sqlite_tables(tmp_path) as engine:
        sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
        assert TaskRequests(engine).count_by_status() == dict.fromkeys(TaskStatus, 0)
        (count,) = [text for text in statements if "count(" in text]
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {count}").mappings().all()
            steps = [row["detail"] for row in plan if "export_task" in row["detail"]]

    assert len(steps) == 4
    assert [step for step in steps if "INDEX ix_export_task_" not in step] == []


async def test_r53_figures_are_counted_again_when_they_are_old(tmp_path: Path) -> None:
    now = [100.0]
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        figures = Figures(api.services, max_age=timedelta(seconds=10), clock=lambda: now[0])

        async def waiting() -> float:
            [sample] = [
                item
                for family in await figures.ask()
                for item in family.samples
                if item.labels.get("status") == "PENDING"
            ]
            return sample.value

        assert await waiting() == 0
        ask(api.person())
        now[0] = 109.9
        assert await waiting() == 0
        now[0] = 110.0
        assert await waiting() == 1
        figures.close()


async def test_the_next_cut_of_each_table_is_what_the_page_of_operators_shows(
    tmp_path: Path,
) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        figures = Figures(api.services, max_age=timedelta(0))

        async def cuts() -> dict[str, int]:
            found = {family.name: family.samples for family in await figures.ask()}
            return {item.labels["table"]: int(item.value) for item in found[NEXT_CUT.name]}

        assert await cuts() == {}
        api.fail(ask(api.person()))
        operator = api.person(roles=("waybill-operator",))
        shown = {
            item["table"]: int(datetime.fromisoformat(item["next_cut"]).timestamp())
            for item in operator.get("/api/admin/holdings").json()["tables"]
            if item["next_cut"]
        }
        assert "export_task" in shown
        assert "audit_log" not in shown
        assert await cuts() == shown
        figures.close()


@pytest.mark.parametrize(
    "header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"]
)
def test_r53_without_a_token_a_request_by_a_proxy_gets_no_figures(
    api: TaskApi, header: str
) -> None:
    assert api.client().get("/metrics").status_code == 200
    for value in ("127.0.0.1", "203.0.113.9", ""):
        answer = api.client().get("/metrics", headers={header: value})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_r53_without_a_token_another_machine_gets_no_figures(api: TaskApi) -> None:
    inner = create_app(api.services)

    async def from_elsewhere(scope, receive, send) -> None:
        await inner({**scope, "client": Address("203.0.113.9", 5000)}, receive, send)

    with serve(from_elsewhere) as url:
        stranger = api.client(base_url=url)
        assert stranger.get("/metrics").status_code == 401
        assert stranger.head("/metrics").status_code == 401
        assert stranger.get("/healthz").status_code == 200


def test_r53_with_a_token_nobody_reads_figures_without_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(url, tmp_path, metrics_token=TOKEN) as api:
        assert api.client().get("/metrics").status_code == 401
        assert api.client(TOKEN[:-1]).get("/metrics").status_code == 401
        assert (
            api.client(api.token("acme", roles=("waybill-operator",))).get("/metrics").status_code
            == 401
        )
        behind_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
        answer = api.client(TOKEN).get("/metrics", headers=behind_a_proxy)
        assert (answer.status_code, "waybill_tasks" in answer.text) == (200, True)
        # It opens nothing else.
        assert api.client(TOKEN).get(TASKS).status_code == 401


def test_r53_a_short_or_guessable_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_METRICS_TOKEN: must have at least 16"):
        load(home=tmp_path, metrics_token="short")
    guessable = load(home=tmp_path, metrics_token="abcd" * 8)
    assert weak_secrets(guessable, "0.0.0.0") == ["WAYBILL_METRICS_TOKEN"]  # noqa: S104


def test_r53_a_flood_of_refused_tokens_leaves_one_line_a_minute() -> None:
    now = [0.0]
    lines: list[logging.LogRecord] = []
    logger = logging.Logger("waybill.api.session.tokens")
    handler = logging.Handler()
    handler.addFilter(FloodFilter(clock=lambda: now[0]))
    handler.emit = lines.append
    logger.addHandler(handler)

    for second in range(61):
        now[0] = float(second)
        for _ in range(100):
            logger.info("token refused", extra={"why": "no JWT"})
    # The reason of somebody else is not lost in the flood.
    logger.info("token refused", extra={"why": "it has expired (exp)"})

    assert [(line.why, line.not_shown) for line in lines] == [
        ("no JWT", 0), ("no JWT", 5_999), ("it has expired (exp)", 0)
    ]  # fmt: skip
