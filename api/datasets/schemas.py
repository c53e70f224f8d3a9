"""Response bodies of the list of datasets."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from waybill.exporter.datasets.choices import (
    MAX_COLUMNS,
    MAX_SORT_KEYS,
    ColumnChoice,
    SortKey,
)
from waybill.exporter.errors import InvalidRequest


class ColumnBody(BaseModel):
    """One column that the caller can choose."""

    name: str = Field(description="The name that requests use.")
    label: str = Field(description="The heading in spreadsheets.")
    type: str = Field(
        description="`boolean`, `integer`, `number`, `text`, `date`, `datetime`, `time`, "
        "`duration`, `json`, `list`, `binary`, or `unknown`."
    )
    help: str = Field(description="What the column holds; may be empty.")
    masked: bool = Field(
        description="The caller sees masked values, and cannot sort by this column."
    )


class SheetBody(BaseModel):
    """One dataset of a workbook."""

    name: str = Field(description="The dataset, which can also be exported by itself.")
    title: str = Field(description="The name of its sheet.")
    columns: list[ColumnBody] = Field(description="Its columns, as those of a dataset.")


class DatasetBody(BaseModel):
    """One dataset that the caller may export."""

    name: str
    title: str
    formats: list[str]
    params_schema: dict[str, Any] = Field(description="JSON Schema of `params`.")
    reason: bool = Field(description="Whether a request has to give a `reason`.")
    approval: bool = Field(description="Whether somebody else has to approve each export.")
    password: bool = Field(description="Whether each file has a password: ask for one.")
    watermark: bool = Field(description="Whether a file names the person it was made for.")
    columns: list[ColumnBody] = Field(
        description="The columns in the dataset's order, without those hidden from the caller. "
        "A workbook has none of its own."
    )
    sheets: list[SheetBody] = Field(
        default_factory=list,
        description="The datasets of a workbook, each on a sheet of its own; empty for a dataset. "
        "A workbook has no preview and takes no `columns` or `sort`.",
    )


class DatasetList(BaseModel):
    """The datasets that the caller may export, by name."""

    items: list[DatasetBody]


class PreviewRequest(BaseModel):
    """What to preview; everything as in the request of an export."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"params": {"city": "Lisbon"}}}
    )

    params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of the dataset; see `GET /api/datasets`."
    )
    columns: list[ColumnChoice] | None = Field(
        None, min_length=1, max_length=MAX_COLUMNS, description="The columns, in this order."
    )
    sort: list[SortKey] | None = Field(
        None, max_length=MAX_SORT_KEYS, description="What rows are sorted by."
    )
    timezone: str | None = Field(
        None, min_length=1, max_length=64, description="IANA name of a time zone."
    )
    lang: Literal["en", "zh"] | None = Field(
        None, description="Language of the dataset's texts. Default: `Accept-Language`."
    )


class PreviewQuery(BaseModel):
    """The same as a query."""

    model_config = ConfigDict(extra="forbid")

    params: str = Field(
        "{}",
        max_length=20_000,
        description="Parameters of the dataset, as a JSON object.",
        examples=['{"city": "Lisbon"}'],
    )
    columns: list[str] = Field(
        default_factory=list, max_length=MAX_COLUMNS, description="Names of columns; repeatable."
    )
    sort: list[str] = Field(
        default_factory=list,
        max_length=MAX_SORT_KEYS,
        description="`total`, or `-total` for descending; repeatable.",
    )
    timezone: str | None = Field(
        None, min_length=1, max_length=64, description="IANA name of a time zone."
    )
    lang: Literal["en", "zh"] | None = Field(
        None, description="Language of the dataset's texts. Default: `Accept-Language`."
    )

    def request(self) -> PreviewRequest:
        """The query as the body of a request.

        Raises:
            InvalidRequest: `params` is no JSON object, or a name is empty or too long.
        """
        try:
            params = json.loads(self.params)
            if not isinstance(params, dict) or "\\u0000" in self.params:
                raise ValueError
        except (ValueError, RecursionError):
            raise InvalidRequest("`params` has to be a JSON object.") from None
        try:
            return PreviewRequest(
                params=params,
                columns=[ColumnChoice(name=name) for name in self.columns] or None,
                sort=[SortKey.model_validate(key) for key in self.sort] or None,
                timezone=self.timezone,
                lang=self.lang,
            )
        except ValidationError:
            raise InvalidRequest("`columns` and `sort` are names of columns.") from None


class PreviewBody(BaseModel):
    """The first rows of an export."""

    columns: list[ColumnBody] = Field(description="The columns of the file, in its order.")
    rows: list[list[str | None]] = Field(
        description="At most 50 rows, each value as text; null is NULL. Long texts are cut."
    )
    more: bool = Field(description="Whether there are more rows.")
    timezone: str = Field(description="The time zone in which moments are shown.")
    snapshot_at: datetime


class ChoiceBody(BaseModel):
    """One value that a text parameter can have."""

    value: str = Field(description="What a request sends.")
    label: str = Field(description="What people read.")


class ChoiceList(BaseModel):
    """Values of a text parameter that are in the data, by their labels."""

    items: list[ChoiceBody] = Field(description="At most 50.")
    more: bool = Field(description="Whether there are more; a longer `q` finds fewer.")
