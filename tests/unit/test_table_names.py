"""Names of tables are read like the database's own client reads them, and near ones are named."""

from __future__ import annotations

import pytest

from waybill.infra.sources.table_names import meanings, nearest, quoted

PG, MY, LITE = "postgresql", "mysql", "sqlite"


@pytest.mark.parametrize(
    ("backend", "text", "first"),
    [
        (PG, "languages", (None, "languages")),
        (PG, "Languages", (None, "languages")),
        (PG, '"Languages"', (None, "Languages")),
        (PG, '"say ""hi"""', (None, 'say "hi"')),
        (MY, "`t`", (None, "t")),
        (MY, "Orders", (None, "Orders")),
        (LITE, "[order items]", (None, "order items")),
        (LITE, '"t"', (None, "t")),
    ],
)
def test_a_name_is_unquoted_and_folded(backend, text, first):
    assert meanings(text, backend, "shop")[0] == first


@pytest.mark.parametrize(
    ("backend", "text", "meant"),
    [
        (PG, "PUBLIC.Languages", ("public", "languages")),
        (PG, 'public."Countries"', ("public", "Countries")),
        (PG, '"s.x"."t.y"', ("s.x", "t.y")),
        (PG, "shop.public.languages", ("public", "languages")),
        (MY, "`a.b`.`c.d`", ("a.b", "c.d")),
        (MY, "shop.orders", ("shop", "orders")),
        (LITE, "main.[t]", ("main", "t")),
    ],
)
def test_a_dot_qualifies_unless_a_table_is_called_that(backend, text, meant):
    assert meanings(text, backend, "shop")[:2] == [(None, text), meant]


def test_another_database_cannot_be_named():
    assert ("public", "languages") not in meanings("other.public.languages", PG, "shop")


@pytest.mark.parametrize("text", ["a..b", '"open', '"a"b', "", ".", "a."])
def test_what_is_no_name_is_only_taken_letter_for_letter(text):
    assert (None, text) in meanings(text, PG, "shop")


def test_near_names_are_those_one_could_type():
    names = [("public", "languages"), ("public", "Countries"), ("sales", "orders")]

    assert nearest("languge", names, PG) == ["public.languages"]
    assert nearest("countries", names, PG) == ['public."Countries"']
    assert nearest("orders", names, PG) == ["sales.orders"]
    assert nearest("sale.orders", names, PG) == ["sales.orders"]
    assert nearest("weather", names, PG) == []
    assert quoted((None, "order items"), MY) == "`order items`"
