"""Estimates against what came true, with real exports of the sample shop on both databases."""

from __future__ import annotations

import random
from statistics import median
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.attempts import run_attempt
from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.infra.sample.fill import fill_sample
from waybill.infra.sample.tables import orders
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

#: After so many finished exports an estimate has to be good.
LEARNED = 10
ORDERS = 4_000


class Range(BaseModel):
    first: int
    city: str | None = None


def some_orders(params: Range, user: Principal) -> sa.Select[Any]:
    query = sa.select(orders).where(orders.c.id > params.first).order_by(orders.c.id)
    return query if params.city is None else query.where(orders.c.city == params.city)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["xlsx", "parquet"])
def test_after_ten_exports_the_median_error_of_bytes_is_under_a_tenth(engine, chosen):
    fill_sample(engine, ORDERS)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE orders")
    source = open_source(engine.url.render_as_string(hide_password=False))
    dataset = Dataset("orders", some_orders, Range)
    chance = random.Random(17)  # noqa: S311 - the same exports every time
    errors = []
    for number in range(LEARNED + 6):
        city = chance.choice([None, "Berlin", "上海"])
        wanted = {"first": chance.randrange(ORDERS - 200), "city": city}
        new = new_task(params=wanted, format=chosen)
        task = run_attempt(engine, MemoryStore(), source, dataset, ANN, new)
        assert task.status == "SUCCESS", task.error_message
        if number >= LEARNED:
            errors.append(abs(task.predicted_bytes - task.size_bytes) / task.size_bytes)

    assert median(errors) < 0.1
