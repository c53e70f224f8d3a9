"""Datasets for the form: every kind of parameter, and more rows than a sheet holds."""

from __future__ import annotations

from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from waybill.exporter.datasets.dataset import Dataset


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
