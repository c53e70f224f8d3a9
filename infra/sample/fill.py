"""Fills the sample shop: the same rows every time, with everything that breaks exporters."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.sample.tables import metadata, orders, users

ORDERS = 200_000
#: Orders for each user.
_ORDERS_PER_USER = 20
_BATCH = 5_000
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

_CITIES = ("上海", "北京", "深圳", "成都", "Berlin", "São Paulo", "Kraków", "Zürich")
_FAMILY = ("王", "李", "张", "刘", "Müller", "Nowak", "O'Brien", "D'Angelo")
_GIVEN = ("伟", "芳", "小龙", "Ana", "Jürgen", "Zoë", "Łukasz", "Søren")
_STATUS = ("new", "paid", "shipped", "returned")
# Text that a spreadsheet, an XML writer or a CSV reader could take for something else.
_NOTES = (
    None,
    None,
    None,
    "leave at the door",
    "请放在前台，谢谢",
    "size < 40 & colour <red>",
    '=HYPERLINK("http://example.invalid","click")',
    'says "fragile", twice',
    "first line\nsecond line",
    "00123",
    "  padded  ",
    "gift 🎁 for 小明",
)


def sample_size(engine: Engine) -> int:
    """Orders in the shop; 0 when it was never filled."""
    with read_transaction(engine) as connection:
        if not sa.inspect(connection).has_table(orders.name):
            return 0
        return connection.execute(sa.select(sa.func.count()).select_from(orders)).scalar_one()


def fill_sample(
    engine: Engine, count: int = ORDERS, progress: Callable[[int], None] = lambda rows: None
) -> int:
    """Make the shop hold exactly `count` orders; a shop of that size is left alone.

    Deterministic: the same count gives the same rows. `progress` gets the rows added by each
    step. Returns the number of orders written.
    """
    if sample_size(engine) == count:
        return 0
    with write_transaction(engine) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        for table, rows in (
            (users, _users(count // _ORDERS_PER_USER)),
            (orders, _orders(count)),
        ):
            for batch in _in_batches(rows):
                connection.execute(table.insert(), batch)
                progress(len(batch) if table is orders else 0)
    return count


def _orders(count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(20240101)  # noqa: S311 - the same rows every time, not a secret
    for number in range(1, count + 1):
        created = _EPOCH + timedelta(seconds=137 * number, milliseconds=chance.randrange(1000))
        status = chance.choice(_STATUS)
        yield {
            "id": number,
            "order_no": 202_400_000_000_000_000 + number * 7_919,
            "customer": f"{chance.choice(_FAMILY)} {chance.choice(_GIVEN)}",
            "city": chance.choice(_CITIES),
            "status": status,
            "quantity": chance.randrange(1, 50),
            "amount": Decimal(chance.randrange(100, 9_999_999)).scaleb(-2),
            "paid": status != "new",
            "note": chance.choice(_NOTES),
            "created_at": created,
            "shipped_on": created.date() if status == "shipped" else None,
        }


def _users(count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(20240102)  # noqa: S311 - the same rows every time, not a secret
    for number in range(1, count + 1):
        yield {
            "id": number,
            "name": f"{chance.choice(_FAMILY)} {chance.choice(_GIVEN)}",
            "email": f"user{number}@example.invalid",
            "city": chance.choice(_CITIES),
            "active": chance.random() < 0.8,
            "balance": Decimal(chance.randrange(10**9)).scaleb(-4) if number % 5 else None,
            "joined_at": _EPOCH - timedelta(minutes=chance.randrange(2_000_000)),
        }


def _in_batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
