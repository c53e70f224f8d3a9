"""What a request chooses of a dataset's rows: columns and their labels, and the order of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from waybill.exporter.errors import InvalidRequest
from waybill.exporter.labels import fold_name

#: Columns of one request, so that a body has room for all of them.
MAX_COLUMNS = 1_000
#: Columns that one request sorts by.
MAX_SORT_KEYS = 16


class _NamedOrWhole(BaseModel):
    """An object that may also be written as one text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The object's own schema, beside that of the text."""
        whole = handler.resolve_ref_schema(handler(core_schema))
        docs: dict[str, Any] = {key: whole[key] for key in ("description", "title") if key in whole}
        text = {"type": "string", "minLength": 1, "maxLength": 200}
        return {**docs, "anyOf": [text, whole]}


class ColumnChoice(_NamedOrWhole):
    """A column of the file: its name as text, or `name` with a `label` to head it."""

    name: str = Field(min_length=1, max_length=200, description="Name of a column of the dataset.")
    label: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        pattern=r"\S",
        description="Its heading in this file, and its name in JSON Lines and Parquet.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class SortKey(_NamedOrWhole):
    """A column to sort by: `column` with `descending`, or as text, `-total` for descending."""

    column: str = Field(
        min_length=1, max_length=200, description="Name of a column of the dataset."
    )
    descending: StrictBool = Field(False, description="Whether the largest value comes first.")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {"column": value.removeprefix("-"), "descending": value.startswith("-")}


def refuse_repeats(columns: Iterable[ColumnChoice], sort: Iterable[SortKey]) -> None:
    """Refuse what is named twice.

    Raises:
        InvalidRequest: a column is chosen twice or sorted by twice, or two have the same label.
    """
    names: set[str] = set()
    labels: set[str] = set()
    for at, choice in enumerate(columns):
        if choice.name in names:
            raise InvalidRequest(
                f"The column {choice.name!r} is chosen twice.", field=f"columns/{at}/name"
            )
        names.add(choice.name)
        if choice.label is None:
            continue
        label = fold_name(choice.label.strip())
        if label in labels:
            raise InvalidRequest(
                f"Two columns are called {choice.label!r}.", field=f"columns/{at}/label"
            )
        labels.add(label)
    sorted_by: set[str] = set()
    for at, key in enumerate(sort):
        if key.column in sorted_by:
            raise InvalidRequest(
                f"The column {key.column!r} is sorted by twice.", field=f"sort/{at}/column"
            )
        sorted_by.add(key.column)
