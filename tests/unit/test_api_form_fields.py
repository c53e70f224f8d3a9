"""A form made from a model: which field each kind of parameter becomes."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from waybill.api.pages.form_fields import Field as FormField
from waybill.api.pages.form_fields import field_rows, form_fields


class City(StrEnum):
    ROME = "Rome"
    OSLO = "Oslo"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Nested(BaseModel):
    low: int = 0


def field_of(annotation: Any, default: Any = ...) -> FormField:
    model = create_model("Params", value=(annotation, default))
    [field] = form_fields(model.model_json_schema())
    return field


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, "text"),
        (str | None, "text"),
        (UUID, "text"),
        (Decimal, "text"),
        (int | str, "text"),
        (int, "integer"),
        (int | None, "integer"),
        (float, "number"),
        (bool, "boolean"),
        (bool | None, "choice"),
        (date, "date"),
        (datetime | None, "datetime"),
        (time, "time"),
        (City, "choice"),
        (City | None, "choice"),
        (Literal["a", "b"], "choice"),
        (Literal["only"], "choice"),
        (list[City], "choices"),
        (set[Level], "choices"),
        (list[str], "list"),
        (list[int] | None, "list"),
        (list[int | None], "json"),
        (list[Nested], "json"),
        (dict[str, int], "json"),
        (Nested, "json"),
        (Nested | None, "json"),
        (int | list[int], "json"),
        (Any, "json"),
    ],
)
def test_a_parameter_of_this_type_is_asked_for_so(annotation: Any, kind: str) -> None:
    assert field_of(annotation).kind == kind


def test_choices_keep_the_type_of_their_values() -> None:
    values = [choice.value for choice in field_of(Level).choices]

    assert values == ["1", "2"]
    assert [choice.value for choice in field_of(City).choices] == ['"Rome"', '"Oslo"']
    assert [choice.label for choice in field_of(bool | None, None).choices] == ["true", "false"]


def test_what_may_be_left_out_is_not_required() -> None:
    assert field_of(int).required
    assert not field_of(int, 5).required
    assert not field_of(int | None).required
    assert not field_of(int | None, None).required


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (int, 5, "5"),
        (str, "x", "x"),
        (str | None, None, ""),
        (list[str], ["a", "b"], "a\nb"),
        (dict[str, int], {"a": 1}, '{"a": 1}'),
        (date, date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_a_default_stands_in_its_field(annotation: Any, default: Any, shown: str) -> None:
    assert field_of(annotation, default).default == shown


def test_a_default_choice_is_chosen() -> None:
    chosen = [choice.label for choice in field_of(City, City.OSLO).choices if choice.chosen]
    several = field_of(list[City], [City.ROME, City.OSLO]).choices
    yes = field_of(bool | None, True).choices

    assert chosen == ["Oslo"]
    assert [choice.chosen for choice in several] == [True, True]
    assert [choice.chosen for choice in yes] == [True, False]
    assert field_of(bool, True).checked
    assert not field_of(bool, False).checked


def test_labels_help_and_bounds_come_from_the_model() -> None:
    field = field_of(
        Annotated[int, Field(title="How many", description="At most a hundred.", ge=1, le=100)], 5
    )

    assert (field.label, field.help) == ("How many", "At most a hundred.")
    assert (field.low, field.high) == (1, 100)
    assert field_of(Annotated[str, Field(max_length=80)]).max_length == 80


def test_a_field_is_named_after_itself_and_not_after_its_type() -> None:
    field = field_of(City)

    assert (field.label, field.help) == ("Value", "")


@pytest.mark.parametrize(
    ("first", "last", "kind", "pairs"),
    [
        ("created_from", "created_to", date, True),
        ("from", "until", date, True),
        ("start_date", "end_date", datetime, True),
        ("created_from", "paid_to", date, False),
        ("created_to", "created_from", date, False),
        ("price_from", "price_to", int, False),
        ("day", "other", date, False),
    ],
)
def test_two_days_of_a_range_are_one_row(first: str, last: str, kind: Any, pairs: bool) -> None:
    fields: Any = {first: (kind | None, None), last: (kind | None, None)}
    rows = field_rows(form_fields(create_model("Params", **fields).model_json_schema()))
    assert [len(row) for row in rows] == ([2] if pairs else [1, 1])


def test_only_a_text_has_values_to_choose_from() -> None:
    model = create_model("Params", city=(str | None, None), ids=(list[int], []))
    city, ids = form_fields(model.model_json_schema(), {"city", "ids"})
    assert (city.has_choices, ids.has_choices, ids.item) == (True, False, "integer")
