"""Points in time are written out, with their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from waybill.api.http.timestamps import Timestamp

TIMESTAMP = TypeAdapter(Timestamp | None)


@pytest.mark.parametrize("text", ["2026-03-01T09:00:00Z", "2026-03-01 10:00:00+01:00"])
def test_a_date_and_time_with_its_zone_is_taken(text: str) -> None:
    assert TIMESTAMP.validate_python(text) == datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["0.5", "1772355600", 0, 1.5, True, "2026-03-01", "2026-03-01T09:00:00", "now", []]
)
def test_anything_else_is_not(value: Any) -> None:
    with pytest.raises(ValidationError):
        TIMESTAMP.validate_python(value)
