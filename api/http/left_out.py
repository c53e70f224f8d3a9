"""Fields of a change that may be left out: their default stands for "as it is", in no schema."""

from __future__ import annotations

from typing import Any


def without_default(schema: dict[str, Any]) -> None:
    """For `json_schema_extra`: the default says nothing to a reader of the API's document."""
    schema.pop("default", None)
