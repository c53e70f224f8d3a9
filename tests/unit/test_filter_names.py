"""What tells the default file names of two exports of one dataset apart."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from waybill.exporter.datasets.filter_names import filter_names


class Status(StrEnum):
    PAID = "paid"


class Params(BaseModel):
    city: str | None = None
    status: Status | None = None
    at_least: int = 0
    active: bool | None = None
    created_from: date | None = None
    ids: list[int] = []
    tags: list[str] = Field(default_factory=list)
    extra: dict[str, int] = {}
    patient: str | None = Field(None, json_schema_extra={"in_filename": False})
    token: SecretStr | None = None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ""),
        ({"city": None, "at_least": 0, "ids": []}, ""),
        ({"city": "Berlin", "status": "paid"}, "Berlin-paid"),
        ({"city": "柏林"}, "柏林"),
        ({"city": "../Rio de Janeiro\r\n"}, "Rio-de-Janeiro"),
        ({"city": "x" * 100}, "x" * 24),
        ({"at_least": 5, "active": True}, "at-least-5-active"),
        ({"active": False}, "not-active"),
        ({"created_from": "2026-01-31"}, "created-from-2026-01-31"),
        ({"ids": [4, 5]}, "4+5"),
        ({"ids": [4, 5, 6]}, "3-ids"),
        ({"tags": ["a" * 20, "b" * 20]}, "2-tags"),
        # Nested values, what the dataset keeps out, and secrets.
        ({"extra": {"a": 1}, "patient": "Ann", "token": "hunter2"}, ""),
    ],
)
def test_filters_that_differ_from_their_defaults_are_named(
    params: dict[str, Any], expected: str
) -> None:
    assert filter_names(Params(**params)) == expected


def test_what_does_not_fit_is_left_out_as_a_whole() -> None:
    class Many(BaseModel):
        a: str = ""
        b: str = ""
        c: str = ""
        d: str = ""

    assert filter_names(Many(a="a" * 24, b="b" * 24, c="c" * 24, d="d" * 24)) == "-".join(
        ["a" * 24, "b" * 24, "c" * 24]
    )
