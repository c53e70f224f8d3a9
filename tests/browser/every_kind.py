"""Datasets for the form: every kind of parameter, and more rows than a sheet holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from tests.support.servers.task_api import sample_registry
from waybill.exporter.datasets.approval import Approval
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.layout import Column


class City(StrEnum):
    ROME = "Rome"
    OSLO = "Oslo"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class EveryKind(BaseModel):
    name: str
    exact: int = 7
    ratio: float = 0.5
    active: bool = True
    checked: bool | None = None
    day: date | None = None
    moment: datetime | None = None
    city: City | None = City.ROME
    level: Level = Level.LOW
    levels: list[Level] = Field(default=[Level.LOW])
    tags: list[str] = []
    extra: dict[str, int] = {}
    note: str | None = "from the model"


def every_kind() -> Dataset:
    """The dataset; whoever has the role `forms` may export it."""

    def build(params: BaseModel, user: object) -> sa.Select[Any]:
        return sa.select(sa.literal(1))

    return Dataset("every_kind", build, params=EveryKind, roles={"forms"}, title="Every kind")


#: A sheet holds 1,048,575 below its heading.
MANY_ROWS = 1_100_000


def many_rows() -> Dataset:
    """A dataset of `MANY_ROWS`, or of none, that any database counts in no time."""

    class ManyParams(BaseModel):
        empty: bool = False

    def build(params: ManyParams, user: object) -> sa.Select[Any]:
        n = sa.select(sa.literal(1).label("n")).cte("n", recursive=True)
        n = n.union_all(sa.select(n.c.n + 1).where(n.c.n < MANY_ROWS // 1000))
        other = n.alias()
        both = n.join(other, other.c.n <= 1000)
        pairs = sa.select(n.c.n, other.c.n.label("other")).select_from(both)
        return pairs.where(sa.false()) if params.empty else pairs

    return Dataset("many_rows", build, params=ManyParams, roles={"forms"}, title="Many rows")


def _zh(title: str) -> dict[str, Any]:
    return {"translations": {"zh": {"title": title}}}


def people() -> Dataset:
    """A dataset with columns of each kind, one of them masked, and 60 rows."""

    class PeopleParams(BaseModel):
        city: str | None = Field(None, title="City", json_schema_extra=_zh("城市"))
        ids: list[int] = Field([], title="Numbers", json_schema_extra=_zh("编号"))
        joined_from: date | None = Field(
            None, title="Joined from", json_schema_extra=_zh("入职日期从")
        )
        joined_to: date | None = Field(None, title="Joined to", json_schema_extra=_zh("入职日期至"))
        slow: bool = Field(False, title="Slow", json_schema_extra=_zh("慢速"))

    def build(params: PeopleParams, user: object) -> sa.Select[Any]:
        most = 10_000_000_000 if params.slow else 60
        first = sa.cast(sa.literal(1), sa.BigInteger)
        n = sa.select(first.label("n")).cte("n", recursive=True)
        n = n.union_all(sa.select(n.c.n + 1).where(n.c.n < most))
        city = sa.case((n.c.n % 2 == 0, "Rome"), else_="Oslo")
        query = sa.select(
            n.c.n.label("id"),
            (sa.literal("Person ") + sa.cast(n.c.n, sa.String)).label("name"),
            city.label("city"),
            (n.c.n * 1000).label("salary"),
            sa.literal(datetime(2026, 3, 1, 12, tzinfo=UTC)).label("joined"),
        ).order_by(n.c.n.desc() if params.slow else n.c.n)
        return query if params.city is None else query.where(city == params.city)

    return Dataset(
        "people",
        build,
        params=PeopleParams,
        roles={"forms"},
        title={"en": "People", "zh": "人员"},
        choices={"city": "city"},
        columns={
            "id": Column(label={"en": "Number", "zh": "编号"}),
            "name": Column(
                label={"en": "Name", "zh": "姓名"},
                help={"en": "As registered.", "zh": "登记姓名。"},
            ),
            "city": Column(label={"en": "City", "zh": "城市"}),
            "salary": Column(label={"en": "Salary", "zh": "薪资"}, mask="hide", roles={"payroll"}),
            "joined": Column(label={"en": "Joined", "zh": "入职时间"}),
        },
    )


def salaries() -> Dataset:
    """A dataset that asks for a reason, and whose exports the role `lead` approves."""

    class SalaryParams(BaseModel):
        city: str | None = Field(None, title="City", json_schema_extra=_zh("城市"))

    def build(params: SalaryParams, user: object) -> sa.Select[Any]:
        return sa.select(sa.literal(params.city).label("city"))

    return Dataset(
        "salaries",
        build,
        params=SalaryParams,
        roles={"hr"},
        title={"en": "Salaries", "zh": "薪资"},
        reason=True,
        approval=Approval("lead"),
        watermark="For {user} only, {time}",
    )


def contracts() -> Dataset:
    """A dataset whose files always have a password."""
    return Dataset(
        "contracts",
        lambda _params, _user: sa.select(sa.literal("Rome").label("city")),
        roles={"legal"},
        title={"en": "Contracts", "zh": "合同"},
        password=True,
    )


def suite_registry() -> Registry:
    """All datasets of the suite."""
    registry = sample_registry()
    registry.add(every_kind())
    registry.add(many_rows())
    registry.add(people())
    registry.add(salaries())
    registry.add(contracts())
    return registry
