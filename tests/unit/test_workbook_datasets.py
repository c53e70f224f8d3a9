"""Workbooks of several datasets: how they are declared, and whose data they may hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel, Field, model_validator

from waybill import Column, Principal
from waybill.exporter.datasets.approval import Approval
from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.workbook import Workbook, made_of
from waybill.exporter.errors import InvalidRequest, PermissionDenied
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.settings import load
from waybill.infra.exports.data_choices import choices_query
from waybill.infra.exports.dataset_columns import columns_seen
from waybill.infra.exports.dataset_loader import load_datasets
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import ExportPlan, plan_export

_TABLES = sa.MetaData()
_ORDERS = sa.Table(
    "orders", _TABLES, *(sa.Column(name, sa.Text) for name in ("id", "city", "cost", "region"))
)
_INVOICES = sa.Table("invoices", _TABLES, *(sa.Column(name, sa.Text) for name in ("no", "city")))


class OrderParams(BaseModel):
    city: str | None = None
    since: int = 0


class InvoiceParams(BaseModel, extra="forbid"):
    city: str | None = None
    least: int = Field(0, ge=0)
    most: int = 100

    @model_validator(mode="after")
    def _in_order(self) -> InvoiceParams:
        if self.least > self.most:
            raise ValueError("the least is above the most")
        return self


def _orders(params: OrderParams, user: Principal) -> sa.Select[Any]:
    query = sa.select(_ORDERS).where(_ORDERS.c.region == user.attributes.get("region", "all"))
    return query.where(_ORDERS.c.city == params.city) if params.city else query


def _invoices(params: InvoiceParams, user: Principal) -> sa.Select[Any]:
    query = sa.select(_INVOICES)
    return query.where(_INVOICES.c.city == params.city) if params.city else query


ORDERS = Dataset(
    "orders",
    _orders,
    OrderParams,
    roles=frozenset({"sales"}),
    title={"en": "Orders", "zh": "订单"},
    columns={
        "cost": Column(roles={"finance"}),
        "city": Column(label={"en": "City", "zh": "城市"}),
        "region": Column(mask="hide", roles={"finance"}),
    },
    choices={"city": "city"},
)
INVOICES = Dataset(
    "invoices", _invoices, InvoiceParams, roles=frozenset({"books", "sales"}), title="Invoices"
)
ANN = Principal("ann", "acme", frozenset({"sales"}), {"region": "north"})
FINANCE = replace(ANN, roles=frozenset({"sales", "finance"}))


def _book(sheets: list[Dataset], **more: Any) -> Workbook:
    return made_of(sheets, name="monthly", filename="{name}", title="Monthly report", **more)


def _monthly(**more: Any) -> Workbook:
    return _book([ORDERS, INVOICES], **more)


def _plan(user: Principal = ANN, book: Workbook | None = None, **asked: Any) -> ExportPlan:
    params = asked.pop("params", {})
    file_format = asked.pop("format", "xlsx")
    return plan_export(
        load(), book or _monthly(), user, params, file_format, options=RequestOptions(**asked)
    )


def test_it_is_declared_beside_the_datasets_it_is_made_of(tmp_path: Path) -> None:
    file = tmp_path / "shop_books.py"
    file.write_text(
        "import sqlalchemy as sa\n"
        "from waybill import dataset, workbook\n"
        "orders = dataset('book_orders')(lambda params, user: sa.select(sa.literal(1)))\n"
        "bills = dataset('book_bills')(lambda params, user: sa.select(sa.literal(2)))\n"
        "workbook('books_of_a_month', sheets=[orders, bills])\n"
    )
    registry = load_datasets(str(file), AdminRoles())
    book = registry["books_of_a_month"]
    assert [sheet.name for sheet in book.sheets] == ["book_orders", "book_bills"]
    assert (book.queue, book.title_in("en")) == ("books_of_a_month", "Books Of A Month")
    assert registry["book_orders"].sheets == ()


def test_parameters_of_one_name_are_one_and_the_others_go_where_they_belong() -> None:
    book = _monthly()
    assert list(book.params.model_fields) == ["city", "since", "least", "most"]
    orders, invoices = _plan(book=book, params={"city": "Rome", "least": 5}).queries
    for query in (orders, invoices):
        assert "Rome" in query.compile().params.values()
    with pytest.raises(InvalidRequest) as wrong:
        _plan(book=book, params={"least": -1})
    assert set(wrong.value.params) == {"least"}
    with pytest.raises(InvalidRequest, match="above the most"):
        _plan(book=book, params={"least": 500})
    with pytest.raises(InvalidRequest, match="Unknown parameter: town"):
        _plan(book=book, params={"town": "Rome"})


class OtherCity(BaseModel):
    city: int = 0


class OtherDefault(BaseModel):
    city: str | None = "Rome"


class OtherBound(BaseModel):
    city: str | None = Field(None, max_length=3)


@pytest.mark.parametrize("model", [OtherCity, OtherDefault, OtherBound])
def test_a_parameter_that_means_two_things_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(ValueError, match="'city' that differ"):
        _book([ORDERS, replace(INVOICES, params=model)])


@pytest.mark.parametrize(
    ("sheets", "why"),
    [
        ([], "two datasets"),
        ([ORDERS], "two datasets"),
        ([ORDERS, ORDERS], "each once"),
        ([ORDERS, replace(INVOICES, reads="tasks")], "different sources"),
        ([ORDERS, replace(INVOICES, approval=Approval("chief"))], "needs an approval"),
    ],
)
def test_what_is_no_workbook_is_refused(sheets: list[Dataset], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        _book(sheets)


def test_a_workbook_asks_for_a_reason_where_one_of_its_datasets_does() -> None:
    assert not _monthly().reason
    assert _book([ORDERS, replace(INVOICES, reason=True)]).reason


def test_a_workbook_has_the_watermark_of_its_datasets_and_is_for_one_person() -> None:
    marked = _book([ORDERS, replace(INVOICES, watermark="For {user} only")])
    assert marked.is_personal
    assert marked.names_its_reader
    plan = _plan(book=marked)
    assert [sheet.layout.watermark_text for sheet in plan.sheets] == ["", "For ann only"]
    assert plan.single_flight_key is None


def test_a_workbook_in_a_workbook_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a workbook"):
        _book([_monthly(), INVOICES])


@pytest.mark.parametrize("roles", [{"books"}, {"chief"}, set()])
def test_who_may_not_have_one_sheet_may_not_have_the_workbook(roles: set[str]) -> None:
    book = _monthly()
    eve = Principal("eve", "acme", frozenset(roles))
    assert not book.allows(eve)
    with pytest.raises(PermissionDenied, match="not every sheet") as refused:
        _plan(eve, book)
    assert "orders" not in refused.value.message


def test_its_own_roles_are_asked_for_as_well() -> None:
    book = _monthly(roles={"chief"})
    assert not book.allows(ANN)
    assert book.allows(replace(ANN, roles=frozenset({"sales", "chief"})))
    assert book.named_roles == {"chief", "sales", "books"}


def test_a_file_made_with_more_rights_is_not_given_to_who_has_less() -> None:
    with pytest.raises(PermissionDenied):
        _monthly().authorise(ANN, maker=FINANCE)
    _monthly_again = Workbook("again", _orders, parts=(ORDERS, INVOICES))
    _monthly_again.authorise(FINANCE, maker=ANN)


def test_each_sheet_keeps_row_rules_masks_and_hidden_columns() -> None:
    orders, _ = _plan().sheets
    names = [column.name for column in orders.query.selected_columns]
    assert names == ["id", "city", "region"]
    assert orders.layout.hidden == {"cost"}
    assert orders.layout.column("region").mask == "hide"
    assert "north" in orders.query.compile().params.values()
    full, _ = _plan(FINANCE, Workbook("m", _orders, parts=(ORDERS, INVOICES))).sheets
    assert full.layout.column("region").mask is None
    assert not full.layout.hidden


def test_texts_of_the_sheets_are_in_the_language_of_the_request() -> None:
    orders, invoices = _plan(language="zh").sheets
    assert (orders.layout.title, invoices.layout.title) == ("订单", "Invoices")
    assert orders.layout.label("city") == "城市"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"format": "csv"}, "format"),
        ({"format": "xlsx.zip"}, "format"),
        ({"columns": ({"name": "city"},)}, "columns"),
        ({"sort": ({"column": "city"},)}, "sort"),
    ],
)
def test_another_format_and_a_choice_of_columns_are_refused(
    asked: dict[str, Any], field: str
) -> None:
    kinds = {"columns": ColumnChoice, "sort": SortKey}
    asked = {
        name: tuple(kinds[name](**one) for one in value) if name in kinds else value
        for name, value in asked.items()
    }
    with pytest.raises(InvalidRequest) as refused:
        _plan(**asked)
    assert refused.value.field == field


def test_equal_rights_share_a_run_and_other_rights_to_one_sheet_do_not() -> None:
    book = _monthly()
    bob = replace(ANN, user="bob")
    south = replace(ANN, attributes={"region": "south"})
    key = _plan(ANN, book).single_flight_key
    assert key is not None
    assert key == _plan(bob, book).single_flight_key
    assert key != _plan(south, book).single_flight_key
    assert key != _plan(FINANCE, book).single_flight_key
    assert key != _plan(ANN, book, params={"city": "Rome"}).single_flight_key


def test_values_of_a_filter_come_from_the_first_dataset_that_lists_them() -> None:
    book = _monthly()
    assert book.open_choices(ANN) == {"city"}
    query = choices_query(book, "city", ANN, "", 10)
    assert "orders" in str(query)
    closed = replace(INVOICES, columns={"city": Column(roles={"finance"})})
    assert _book([ORDERS, closed]).open_choices(ANN) == frozenset()


def test_columns_are_those_of_its_sheets() -> None:
    book = _monthly()
    assert columns_seen(book, ANN, "en") == []
    assert [column.name for column in columns_seen(book.sheets[1], ANN, "en")] == ["no", "city"]


def test_a_workbook_has_no_query_of_its_own() -> None:
    with pytest.raises(TypeError, match="no query of its own"):
        _ = _plan().query
