"""A dataset with hidden and masked columns, and what nobody without the role may find of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from tests.support.servers.task_api import TaskApi
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.principal import Principal

PEOPLE = [
    (1, "Ana", "ana@example.com", "DE89370400440532013000", 71_500, 1, "north"),
    (2, "Bo", None, "NL91ABNA0417164300", 48_250, 2, "north"),
    (3, "Cy", "cy@example.org", "FR1420041010050500013M02606", 93_100, 1, "south"),
]
NAMES = ("id", "name", "email", "iban", "salary", "status", "tenant")
#: What only the role `hr` may see, in any form that it has in a file.
SECRETS = ("ana@", "cy@", "DE8937", "NL91ABNA", "71500", "71,500", "48250", "salary", "Salary")
#: What only the tenant `south` may see.
SOUTHERN = ("Cy", "2606", "example.org", "93100")


class Filters(BaseModel):
    name: str | None = None
    email: str | None = None
    code: str | None = None
    state: str | None = None
    status: int | None = None
    salary: int | None = None
    paid_at_least: int = Field(0, json_schema_extra={"column": "salary"})


def people(params: Any, user: Principal) -> sa.Select[Any]:
    rows = sa.union_all(
        *(
            sa.select(
                *(
                    sa.literal(value, kind).label(name)
                    for name, value, kind in zip(NAMES, row, KINDS, strict=True)
                )
            )
            for row in PEOPLE
        )
    ).subquery()
    query = sa.select(*(rows.c[name] for name in NAMES[:-1])).order_by(rows.c.id)
    query = query.where(rows.c.tenant == user.tenant.split("-")[0])
    if params.salary is not None:
        query = query.where(rows.c.salary == params.salary)
    return query.where(rows.c.salary >= params.paid_at_least)


KINDS = (sa.Integer, sa.Text, sa.Text, sa.Text, sa.Integer, sa.Integer, sa.Text)
DATASET = Dataset(
    "people",
    people,
    params=Filters,
    roles={"sales", "hr"},
    title={"en": "People", "zh": "人员"},
    choices={
        "name": "name",
        "email": "email",
        # Not the name of the column that it would tell.
        "code": "iban",
        "state": lambda _user: (
            sa.union_all(
                sa.select(sa.literal("1"), sa.literal("Active")),
                sa.select(sa.literal("2"), sa.literal("100% left")),
            )
            .subquery()
            .select()
        ),
    },
    columns={
        "name": Column(label={"en": "Name", "zh": "姓名"}, help={"en": "Full.", "zh": "全名。"}),
        "email": Column(mask="email", roles={"hr"}),
        "iban": Column(mask="last4", roles={"hr"}),
        "salary": Column(label="Salary", roles={"hr"}),
        "status": Column(
            values={1: {"en": "Active", "zh": "在职"}, 2: {"en": "Left", "zh": "离职"}}
        ),
    },
)


def somebody(api: TaskApi, role: str, tenant: str = "north", user: str = "ana") -> Any:
    return api.person(tenant, user, (role,))
