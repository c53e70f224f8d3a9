"""Before the click: what an export would come to, with real databases behind the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, OrderParams, TaskApi, ask, running_api
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.tasks.model import Predicted

ESTIMATE = f"{TASKS}/estimate"
ROWS = 1_500

SHOP = sa.MetaData()
THINGS = sa.Table(
    "things",
    SHOP,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("city", sa.String(80)),
)


def things(params: OrderParams, user: Principal) -> sa.Select[Any]:
    query = sa.select(THINGS).order_by(THINGS.c.id)
    return query if params.city is None else query.where(THINGS.c.city == params.city)


def gone(params: BaseModel, user: Principal) -> sa.Select[Any]:
    return sa.select(sa.table("gone", sa.column("id")))


def too_many(params: BaseModel, user: Principal) -> sa.Select[Any]:
    first, *others = (THINGS.alias() for _ in range(4))
    return sa.select(first).where(*(first.c.id < other.c.id + ROWS for other in others))


def refused(params: BaseModel, user: Principal) -> sa.Select[Any]:
    raise InvalidRequest("Not on a Sunday.")


REGISTRY = Registry(
    {
        "orders": Dataset("orders", things, OrderParams, queue="orders", roles={"sales"}),
        "gone": Dataset("gone", gone, queue="gone"),
        "too_many": Dataset("too_many", too_many, queue="too_many"),
        "refused": Dataset("refused", refused, queue="refused"),
    }
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An API whose rows come from this kind of database; and that kind."""
    home = tmp_path_factory.mktemp("shop")
    with ExitStack() as stack:
        if request.param == "sqlite":
            source = f"sqlite:///{home}/shop.db"
        else:
            server = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[request.param]
            source = stack.enter_context(request.getfixturevalue(server).database())
        engine = sa.create_engine(source)
        SHOP.create_all(engine)
        with engine.begin() as connection:
            cities = ("Berlin", "Oslo", "上海")
            rows = [{"id": n, "city": cities[n % 3]} for n in range(ROWS)]
            connection.execute(THINGS.insert(), rows)
        if request.param == "postgresql":
            with engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                    "ANALYZE things"
                )
        engine.dispose()
        tasks = f"sqlite:///{home}/tasks.db"
        api = stack.enter_context(running_api(tasks, home, registry=REGISTRY, source_url=source))
        yield api, request.param


def estimate(client: Any, **changes: Any) -> dict[str, Any]:
    """An estimate. That of orders is asked for again while a busy source counts too slowly."""
    asked = {"type": "orders", "format": "xlsx"} | changes

    def body() -> dict[str, Any] | None:
        answer = client.post(ESTIMATE, json=asked)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        late = asked["type"] == "orders" and told["rows_problem"] == "count_too_slow"
        return None if late else told

    told = wait_for(body)
    assert told is not None
    return told


def test_an_estimate_says_all_there_is_to_know_before_the_click(shop):
    api, _ = shop

    told = estimate(api.person())

    assert told.pop("bytes") == pytest.approx(6_600 + ROWS * 2 * 8.6, rel=0.01)
    assert told.pop("seconds") == pytest.approx(0.2, abs=0.05)
    assert told == {
        "type": "orders",
        "format": "xlsx",
        "rows": ROWS,
        "rows_known_by": "exact",
        "rows_problem": None,
        "rows_limit": api.services.settings.max_rows_per_export,
        "files": 1,
        "sheets": 1,
        "calibrated": False,
        "queue_position": 0,
        "queue_running": 0,
        "queue_workers": 0,
        "starts_in_seconds": 0,
        "better_format": None,
    }


def test_an_estimate_follows_the_parameters_as_values(shop):
    api, _ = shop
    client = api.person()

    assert estimate(client, params={"city": "上海"})["rows"] == ROWS // 3
    assert estimate(client, params={"city": "' OR 1=1--"})["rows"] == 0


def test_an_estimate_stores_nothing_and_wakes_nobody(shop):
    api, _ = shop
    client, before = api.person(), len(api.wake_ups)

    estimate(client)

    assert client.get(TASKS).json()["items"] == []
    assert len(api.wake_ups) == before


def test_what_cannot_be_counted_in_time_is_the_planners_or_unknown(shop):
    api, kind = shop
    started = time.monotonic()

    told = estimate(api.person(), type="too_many", format="csv")

    assert time.monotonic() - started < 2.5
    if kind == "postgresql":
        assert told["rows_known_by"] == "planner"
        assert told["rows"] > 10**9
        assert (told["better_format"]["format"], told["better_format"]["code"]) == (
            "csv.zip", "rows_beyond_a_sheet"
        )  # fmt: skip
    else:
        assert (told["rows"], told["rows_problem"]) == (None, "count_too_slow")
        assert (told["bytes"], told["seconds"], told["files"], told["sheets"]) == (None,) * 4


def test_a_query_the_source_refuses_has_no_rows_and_a_reason(shop):
    api, _ = shop

    told = estimate(api.person(), type="gone")

    assert (told["rows"], told["rows_known_by"], told["rows_problem"]) == (
        None, None, "source_rejected"
    )  # fmt: skip
    assert told["queue_position"] == 0


def test_what_a_dataset_refuses_is_refused(shop):
    api, _ = shop

    answer = api.person().post(ESTIMATE, json={"type": "refused", "format": "csv"})

    assert (answer.status_code, answer.json()["detail"]) == (422, "Not on a Sunday.")


def test_the_past_of_ones_own_tenant_calibrates_and_no_other(shop):
    api, _ = shop
    tenant = api.tenant()
    client, colleague, stranger = api.person(tenant), api.person(tenant, "bob"), api.person()
    fresh = estimate(client)
    # It came to 65,536 bytes.
    api.finish(ask(client), rows=ROWS)

    calibrated = estimate(client)
    assert (calibrated["bytes"], calibrated["calibrated"]) == (
        pytest.approx(65_536, rel=0.01),
        True,
    )
    assert estimate(colleague)["bytes"] == calibrated["bytes"]
    assert estimate(stranger) == fresh


def test_a_queue_shows_what_is_ahead_in_it(shop):
    api, _ = shop
    client = api.person()
    slots = api.services.settings.concurrency
    tasks = [ask(client, params={"city": f"city {n}"}) for n in range(slots + 2)]
    try:
        for task in tasks[:slots]:
            api.begin(task)
        told = estimate(client)
        assert (told["queue_position"], told["queue_running"]) == (2, slots)
        assert told["starts_in_seconds"] >= 1
    finally:
        for task in tasks[slots:]:
            client.post(f"{TASKS}/{task['id']}/cancel")
        with api.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE export_task SET status = 'CANCELLED', lease_expires_at = NULL"
                " WHERE status = 'PROCESSING'"
            )


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    """An API whose source is away."""
    home = tmp_path_factory.mktemp("cut-off")
    away = "postgresql://ann:canary-password@127.0.0.1:1/shop"
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=REGISTRY, source_url=away) as api:
        yield api


def test_a_source_that_is_down_costs_the_number_and_nothing_else(cut_off: TaskApi):
    client = cut_off.person()
    started = time.monotonic()

    told = estimate(client)

    assert time.monotonic() - started < 2
    assert (told["rows"], told["rows_problem"]) == (None, "source_unavailable")
    assert "canary" not in str(told)


def test_without_its_source_ones_own_last_export_of_the_same_tells_the_rows(cut_off: TaskApi):
    tenant = cut_off.tenant()
    client = cut_off.person(tenant)
    cut_off.finish(ask(client, params={"city": "Berlin"}), rows=77)

    told = estimate(client, params={"city": "Berlin"})
    assert (told["rows"], told["rows_known_by"]) == (77, "history")
    for stranger in (cut_off.person(), cut_off.person(tenant, "bob")):
        assert estimate(stranger, params={"city": "Berlin"})["rows"] is None


def test_a_task_shows_the_estimate_that_was_made_of_it(cut_off: TaskApi):
    client = cut_off.person()
    task = ask(client)
    assert task["predicted"] is None
    claim = cut_off.begin(task)
    cut_off.runs.record_estimate(
        claim, Predicted(planned_rows=12, rows=10, size_bytes=6_700, seconds=4.5)
    )

    seen = client.get(f"{TASKS}/{task['id']}").json()

    assert seen["predicted"] == {"rows": 10, "bytes": 6_700, "seconds": 4.5}
    assert seen["progress"]["eta_seconds"] == pytest.approx(4, abs=1)
