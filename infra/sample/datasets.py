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


_STATUS: dict[OrderStatus, dict[str, str]] = {
    OrderStatus.NEW: {"en": "New", "zh": "新建"},
    OrderStatus.PAID: {"en": "Paid", "zh": "已付款"},
    OrderStatus.SHIPPED: {"en": "Shipped", "zh": "已发货"},
    OrderStatus.RETURNED: {"en": "Returned", "zh": "已退货"},
}


def _zh(title: str, description: str = "") -> dict[str, Any]:
    return {"translations": {"zh": {"title": title, "description": description}}}


class OrderParams(BaseModel, extra="forbid"):
    """Which orders."""

    city: str | None = Field(
        None,
        title="City",
        max_length=80,
        description="All when empty.",
        json_schema_extra=_zh("城市", "留空表示全部。"),
    )
    status: OrderStatus | None = Field(
        None,
        title="Status",
        json_schema_extra={
            "translations": {
                "en": {"values": {status.value: text["en"] for status, text in _STATUS.items()}},
                "zh": {
                    "title": "状态",
                    "values": {status.value: text["zh"] for status, text in _STATUS.items()},
                },
            }
        },
    )
    created_from: date | None = Field(
        None,
        title="Created from",
        description="First day (UTC).",
        json_schema_extra=_zh("下单日期从", "起始日（UTC）。"),
    )
    created_to: date | None = Field(
        None,
        title="Created to",
        description="Last day (UTC).",
        json_schema_extra=_zh("下单日期至", "截止日（UTC）。"),
    )


class UserParams(BaseModel, extra="forbid"):
    """Which users."""

    active: bool | None = Field(None, title="Active only", json_schema_extra=_zh("仅在用"))


@dataset(
    "orders",
    params=OrderParams,
    queue="orders",
    roles={"sales"},
    title={"en": "Orders", "zh": "订单"},
    filename="orders-{today}",
    about=True,
    choices={"city": "city"},
    columns={
        "id": Column(label={"en": "ID", "zh": "编号"}),
        "order_no": Column(label={"en": "Order number", "zh": "订单号"}, as_text=True),
        "customer": Column(label={"en": "Customer", "zh": "客户"}, width=22),
        "city": Column(label={"en": "City", "zh": "城市"}),
        "status": Column(label={"en": "Status", "zh": "状态"}),
        "quantity": Column(label={"en": "Quantity", "zh": "数量"}),
        "amount": Column(label={"en": "Amount", "zh": "金额"}, number_format="#,##0.00"),
        "paid": Column(label={"en": "Paid", "zh": "已付款"}),
        "note": Column(label={"en": "Note", "zh": "备注"}, width=34),
        "created_at": Column(label={"en": "Created", "zh": "下单时间"}),
        "shipped_on": Column(label={"en": "Shipped on", "zh": "发货日期"}),
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
    title={"en": "Users", "zh": "用户"},
    filename="users-{today}",
    about=True,
    columns={
        "id": Column(label={"en": "ID", "zh": "编号"}),
        "name": Column(label={"en": "Name", "zh": "姓名"}, width=22),
        "email": Column(label={"en": "E-mail", "zh": "邮箱"}, width=30),
        "balance": Column(label={"en": "Balance", "zh": "余额"}, number_format="#,##0.0000"),
        "joined_at": Column(label={"en": "Joined", "zh": "注册时间"}),
    },
)
def users(params: UserParams, user: Principal) -> sa.Select[Any]:
    """All users that match, in the order of their ids."""
    query = sa.select(user_table).order_by(user_table.c.id)
    if params.active is not None:
        query = query.where(user_table.c.active == params.active)
    return query
