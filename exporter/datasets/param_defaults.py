"""Whether a parameter has the value that it has when a request leaves it out."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo


def is_default(field: FieldInfo, value: Any) -> bool:
    """Whether `value` is the default of `field`; never for a field that is required."""
    return not field.is_required() and bool(
        value == field.get_default(call_default_factory=True, validated_data={})
    )
