"""A dataset with a parameter of every kind that a form has a field for."""

from __future__ import annotations

from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from exporter.datasets import Dataset


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
