"""Response bodies of the list of datasets."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class DatasetBody(BaseModel):
    """One dataset that the caller may export."""

    name: str
    title: str
    formats: list[str]
    params_schema: dict[str, Any] = Field(description="JSON Schema of `params`.")


class DatasetList(BaseModel):
    """The datasets that the caller may export, by name."""

    items: list[DatasetBody]
