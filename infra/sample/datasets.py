"""What the sample shop lets people export: the datasets of `make demo`, and an example."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from waybill import Column, Principal, dataset
from waybill.infra.sample.tables import orders as order_table
from waybill.infra.sample.tables import users as user_table


class OrderStatus(StrEnum):
    """Where an order is."""

    NEW = "new"
    PAID = "paid"
    SHIPPED = "shipped"
    RETURNED = "returned"


class OrderParams(BaseModel, extra="forbid"):
    """Which orders."""

    city: str | None = Field(None, title="City", max_length=80, description="All when empty.")
    status: OrderStatus | None = Field(None, title="Status")
    created_from: date | None = Field(None, title="Created from", description="First day (UTC).")
    created_to: date | None = Field(None, title="Created to", description="Last day (UTC).")


class UserParams(BaseModel, extra="forbid"):
    """Which users."""

    active: bool | None = Field(None, title="Active only")


@dataset(
    "orders",
    params=OrderParams,
    queue="orders",
    roles={"sales"},
    title="Orders",
    filename="orders-{today}",
    about=True,
    columns={
        "id": Column(label="ID"),
        "order_no": Column(label="Order number", as_text=True),
        "customer": Column(label="Customer", width=22),
        "city": Column(label="City"),
        "status": Column(label="Status"),
        "quantity": Column(label="Quantity"),
        "amount": Column(label="Amount", number_format="#,##0.00"),
        "paid": Column(label="Paid"),
        "note": Column(label="Note", width=34),
        "created_at": Column(label="Created"),
        "shipped_on": Column(label="Shipped on"),
    },
)
def orders(params: OrderParams, user: Principal) -> sa.Select[Any]:
    """All orders that match, oldest first."""
    table = order_table.c
    query = sa.select(order_table).order_by(table.id)
    if params.city is not None:
        query = query.where(table.city == params.city)
    if params.status is not None:
        query = query.where(table.status == params.status.value)
    if params.created_from is not None:
        query = query.where(table.created_at >= _midnight(params.created_from))
    if params.created_to is not None:
        query = query.where(table.created_at < _midnight(params.created_to + timedelta(days=1)))
    return query


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataset(
    "users",
    params=UserParams,
    queue="users",
    roles={"sales", "support"},
    title="Users",
    filename="users-{today}",
    about=True,
    columns={
        "id": Column(label="ID"),
        "name": Column(label="Name", width=22),
        "email": Column(label="E-mail", width=30),
        "balance": Column(label="Balance", number_format="#,##0.0000"),
        "joined_at": Column(label="Joined"),
    },
)
def users(params: UserParams, user: Principal) -> sa.Select[Any]:
    """All users that match, in the order of their ids."""
    query = sa.select(user_table).order_by(user_table.c.id)
    if params.active is not None:
        query = query.where(user_table.c.active == params.active)
    return query
