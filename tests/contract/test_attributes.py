"""Attributes on both databases: a task keeps those of its request, and runs with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.single_flight import Desk
from tests.support.stored_keys import stored_keys
from tests.support.task_store import ANN, BOB, new_task
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.infra.sources import open_source
from waybill.infra.tasks.model import IdempotencyMismatch
from waybill.storage.memory import MemoryStore

EU = {"region": "EU", "stores": [1, 2], "lead": True}
IN_EUROPE = replace(ANN, attributes=EU)
IN_AMERICA = replace(ANN, attributes={**EU, "region": "US"})


def _mine(_params: object, user: Principal) -> sa.Select[Any]:
    return sa.select(
        sa.literal(user.attributes["region"]).label("region"),
        sa.literal(sum(user.attributes["stores"])).label("stores"),
    )


def _ran(engine: sa.Engine, user: Principal) -> tuple[Any, MemoryStore]:
    source = open_source(engine.url.render_as_string(hide_password=False))
    store = MemoryStore()
    dataset = Dataset("orders", _mine)
    new = new_task(params={}, format="csv", filename="orders.csv")
    return run_attempt(engine, store, source, dataset, user, new), store


@pytest.mark.parametrize(("user", "region"), [(IN_EUROPE, b"EU"), (IN_AMERICA, b"US")])
def test_a_run_has_the_attributes_of_its_request(
    engine: sa.Engine, user: Principal, region: bytes
) -> None:
    task, store = _ran(engine, user)

    assert (task.status, task.error_message) == ("SUCCESS", None)
    [key] = stored_keys(store)
    assert store.read(key).splitlines()[1:] == [b'"%b",3' % region]


def test_a_run_without_the_attribute_is_refused(engine: sa.Engine) -> None:
    task, store = _ran(engine, ANN)

    assert (task.status, task.error_code) == ("FAILED", "permission_denied")
    assert stored_keys(store) == []


def test_the_owner_of_a_task_has_the_attributes_of_the_request(desk: Desk) -> None:
    task = desk.task(IN_EUROPE)

    owner = desk.seen(task, ANN).owner

    assert owner == IN_EUROPE
    assert owner.attributes["lead"] is True


def test_the_same_request_with_other_attributes_is_another_one(desk: Desk) -> None:
    europe, again = desk.ask(IN_EUROPE, key="eu"), desk.ask(IN_EUROPE, key="eu")
    america = desk.ask(IN_AMERICA, key="us")

    assert again.task.id == europe.task.id
    assert not america.deduplicated
    assert america.task.joined_id is None
    desk.ask(IN_EUROPE, key="eu", idempotency_key="one", params={"n": 1})
    with pytest.raises(IdempotencyMismatch):
        desk.ask(IN_AMERICA, key="us", idempotency_key="one", params={"n": 1})


def test_a_retry_has_the_attributes_of_who_asks_for_it(desk: Desk) -> None:
    task = desk.task(IN_EUROPE)
    desk.requests.cancel(ANN, task.id)

    again = desk.requests.retry(IN_AMERICA, task.id, max_attempts=1).task

    assert again.owner == IN_AMERICA


def test_a_task_without_attributes_has_none(desk: Desk) -> None:
    assert desk.task(BOB).owner == BOB
