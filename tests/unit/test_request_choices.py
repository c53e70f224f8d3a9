"""What a request chooses: read from text or objects, refused by name, kept with the task."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from waybill.api.cli.file_choices import read_columns, read_sort
from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.settings import load
from waybill.infra.exports.options import RequestOptions, zone_named
from waybill.infra.exports.plan import plan_export
from waybill.infra.exports.projection import column_names

ANN = Principal("ann", "acme", frozenset({"sales"}))
TABLE = sa.table("t", sa.column("id"), sa.column("city"), sa.column("total"))
SALES = Dataset(
    "sales",
    lambda params, user: sa.select(TABLE).order_by(TABLE.c.id),
    columns={"city": Column(label="City", width=9)},
    sheet_by="city",
)


def plan(tmp_path, dataset=SALES, format_name="csv", **options):
    return plan_export(
        load(home=tmp_path), dataset, ANN, {}, format_name, options=RequestOptions(**options)
    )


def chosen(*items):
    return tuple(ColumnChoice.model_validate(item) for item in items)


def sorted_by(*items):
    return tuple(SortKey.model_validate(item) for item in items)


def test_texts_and_objects_say_the_same():
    assert chosen("id") == chosen({"name": "id"})
    assert sorted_by("-total", "id") == sorted_by(
        {"column": "total", "descending": True}, {"column": "id"}
    )
    assert read_columns(["id", "city=Town=s"]) == chosen("id", {"name": "city", "label": "Town=s"})
    assert read_sort(["-total", "id"]) == sorted_by("-total", "id")


@pytest.mark.parametrize("bad", ["", {"name": "x", "label": " "}, {"name": "x", "as": "y"}, 3])
def test_a_bad_choice_is_refused(bad):
    with pytest.raises(ValidationError):
        ColumnChoice.model_validate(bad)


@pytest.mark.parametrize("bad", ["", "-", {"column": "x", "descending": "yes"}])
def test_a_bad_sort_key_is_refused(bad):
    with pytest.raises(ValidationError):
        SortKey.model_validate(bad)


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"columns": chosen("id", "id")}, "columns/1/name", "The column 'id' is chosen twice."),
        (
            {"columns": chosen({"name": "id", "label": "A"}, {"name": "city", "label": "a "})},
            "columns/1/label",
            "Two columns are called 'a '.",
        ),
        ({"sort": sorted_by("id", "-id")}, "sort/1/column", "The column 'id' is sorted by twice."),
        (
            {"timezone": "berlin"},
            "timezone",
            "There is no time zone 'berlin'. Did you mean Europe/Berlin?",
        ),
        (
            {"timezone": "Europe/Berln"},
            "timezone",
            "There is no time zone 'Europe/Berln'. Did you mean Europe/Berlin?",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_the_request(options, field, message):
    with pytest.raises(InvalidRequest) as refused:
        RequestOptions(**options)
    assert (refused.value.field, refused.value.message) == (field, message)


@pytest.mark.parametrize("name", ["Factory", "localtime", "../etc/passwd", "UTC\x00", "utc/"])
def test_only_zones_that_every_part_knows_are_zones(name):
    with pytest.raises(InvalidRequest):
        zone_named(name)


def test_an_unknown_column_is_named_with_the_nearest(tmp_path):
    with pytest.raises(InvalidRequest) as refused:
        _ = plan(tmp_path, columns=chosen("id", "Citty")).query
    assert refused.value.field == "columns/1/name"
    assert refused.value.message == "There is no column 'Citty'. Did you mean 'city'?"
    with pytest.raises(InvalidRequest) as refused:
        _ = plan(tmp_path, sort=sorted_by("id", "-xyz")).query
    assert refused.value.field == "sort/1/column"
    assert refused.value.message == "There is no column 'xyz'. There are: id, city, total."


def test_a_query_of_an_operator_has_its_own_columns(tmp_path):
    text = Dataset("q", lambda params, user: sa.text("SELECT 1 AS id"))
    with pytest.raises(InvalidRequest, match="write its columns"):
        _ = plan(tmp_path, text, columns=chosen("id")).query


def test_a_workbook_laid_out_by_its_dataset_keeps_its_columns(tmp_path):
    decorated = Dataset("d", SALES.build, decorate=lambda workbook, sheets: None)
    with pytest.raises(InvalidRequest, match="laid out for all its columns"):
        plan(tmp_path, decorated, "xlsx", columns=chosen("id"))
    assert plan(tmp_path, decorated, "csv", columns=chosen("id")).query is not None


def test_the_layout_has_the_labels_of_the_request_and_what_else_was_declared(tmp_path):
    layout = plan(tmp_path, columns=chosen({"name": "city", "label": "Town"}, "id")).layout
    assert (layout.label("city"), layout.key("city"), layout.column("city").width) == (
        "Town",
        "Town",
        9,
    )
    assert (layout.label("id"), layout.key("id")) == ("id", "id")


def test_sheets_need_their_column(tmp_path):
    assert plan(tmp_path, columns=chosen("id")).layout.sheet_by is None
    assert plan(tmp_path, columns=chosen("city")).layout.sheet_by == "city"


def test_rows_that_are_sorted_anew_stay_together_by_sheet(tmp_path):
    text = str(plan(tmp_path, sort=sorted_by("-total")).query)
    order = text[text.rindex("ORDER BY") :]
    assert order.index("waybill_choice.city") < order.index("waybill_choice.total DESC")


def test_what_a_task_keeps_plans_the_same_export(tmp_path):
    asked = plan(
        tmp_path,
        columns=chosen("total", {"name": "id", "label": "No."}),
        sort=sorted_by("-total"),
        timezone="Asia/Shanghai",
    )
    assert asked.options == {
        "columns": [{"name": "total"}, {"name": "id", "label": "No."}],
        "sort": [{"column": "total", "descending": True}],
        "timezone": "Asia/Shanghai",
    }
    again = plan_export(
        load(home=tmp_path), SALES, ANN, {}, "csv", options=RequestOptions.of_task(asked.options)
    )
    assert str(again.query) == str(asked.query)
    assert again.layout == asked.layout
    assert again.options == asked.options


def test_the_zone_of_the_installation_needs_no_saying(tmp_path):
    assert plan(tmp_path, timezone="UTC").options == {}


@pytest.mark.parametrize(
    "options",
    [
        {"columns": chosen("id")},
        {"columns": chosen("city", "id", "total")},
        {"columns": chosen("id", "city", {"name": "total", "label": "Sum"})},
        {"sort": sorted_by("total")},
        {"sort": sorted_by("-total")},
        {"timezone": "Asia/Tokyo"},
    ],
)
def test_each_choice_makes_a_file_of_its_own(tmp_path, options):
    other = plan(tmp_path, **options)
    assert other.single_flight_key != plan(tmp_path).single_flight_key
    assert other.single_flight_key == plan(tmp_path, **options).single_flight_key is not None


def test_columns_without_a_name_cannot_be_chosen():
    assert column_names(sa.select(TABLE.c.id, sa.func.count(), TABLE.c.city)) == ["id", "city"]
    assert column_names(sa.text("SELECT 1 AS id")) == []
