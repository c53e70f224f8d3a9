"""Which requests make the same file: equal keys for equal queries, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE, Quoting
from waybill.exporter.formats.parquet_profiles import PARQUET_PROFILES
from waybill.exporter.formats.registry import format_named
from waybill.infra.config.settings import load
from waybill.infra.exports.single_flight_key import SingleFlightKeys, single_flight_keys
from waybill.infra.sources.names import ROWS

ANN = Principal("ann", "acme", frozenset({"sales"}))
BOB = Principal("bob", "acme", frozenset({"sales"}))
orders = sa.table("orders", sa.column("id"), sa.column("region"), sa.column("cost"))


class Region(StrEnum):
    NORTH = "north"
    SOUTH = "south"


def all_orders(params, user):
    return sa.select(orders.c.id)


ORDERS = Dataset("orders", all_orders)
KEYS = SingleFlightKeys({ROWS: postgresql.dialect()})


def layout_of(dataset=ORDERS, timezone="UTC"):
    return Layout(
        title=dataset.title,
        columns=dataset.columns,
        sheet_by=dataset.sheet_by,
        timezone=ZoneInfo(timezone),
    )


def key(user=ANN, *, dataset=ORDERS, file_format="csv", params=None, csv=EXCEL, timezone="UTC"):
    params = params or {}
    wanted = format_named(file_format, csv_profile=csv)
    layout = layout_of(dataset, timezone)
    return KEYS.key_of(dataset, dataset.query(params, user), params, user, wanted, layout)


def test_colleagues_with_the_same_query_have_the_same_key():
    assert key(ANN) == key(BOB) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"user": replace(ANN, tenant="other")},
        {"file_format": "csv.gz"},
        {"timezone": "Asia/Shanghai"},
        {"csv": MACHINE},
        {"csv": replace(EXCEL, delimiter=";")},
        {"csv": replace(EXCEL, byte_order_mark=False)},
        {"csv": replace(EXCEL, guards_formulas=False)},
        {"csv": replace(EXCEL, quoting=Quoting.ALL)},
        {"dataset": replace(ORDERS, name="other")},
        {"dataset": replace(ORDERS, title="Other")},
        {"dataset": replace(ORDERS, sheet_by="region")},
        {"dataset": replace(ORDERS, columns={"id": Column(label="Number")})},
        {"dataset": replace(ORDERS, build=lambda params, user: sa.select(orders.c.region))},
    ],
)
def test_whatever_changes_the_bytes_changes_the_key(change):
    assert key(**change) != key()


def test_the_parquet_profile_changes_the_key_of_parquet():
    query = ORDERS.query({}, ANN)
    compatible, small = (
        KEYS.key_of(
            ORDERS, query, {}, ANN, format_named("parquet", parquet_profile=profile), layout_of()
        )
        for profile in PARQUET_PROFILES.values()
    )
    assert compatible != small


def test_csv_options_do_not_part_the_runs_of_other_formats():
    assert key(file_format="xlsx", csv=MACHINE) == key(file_format="xlsx")


@pytest.mark.parametrize(
    "build",
    [
        lambda params, user: sa.select(orders).where(orders.c.region == user.user),
        lambda params, user: sa.select(orders, sa.literal(user.user)),
        lambda params, user: sa.select(*(c for c in orders.c if c.name != user.user)),
        lambda params, user: sa.text("SELECT * FROM orders WHERE region = :r").bindparams(
            r=user.user
        ),
    ],
)
def test_r4_a_condition_on_the_user_is_in_the_key(build):
    """A row-level condition, a watermark, a column kept back, an operator's own text."""
    dataset = replace(ORDERS, build=build)
    assert key(ANN, dataset=dataset) != key(replace(ANN, user="cost"), dataset=dataset)
    assert key(ANN, dataset=dataset) == key(ANN, dataset=dataset)


def test_a_narrower_role_has_another_key():
    def build(params, user):
        return all_orders(params, user).where(orders.c.region.in_(sorted(user.roles)))

    dataset = replace(ORDERS, build=build)
    both, north = frozenset({"north", "south"}), frozenset({"north"})
    wide, narrow = (Principal(name, "acme", roles) for name, roles in (("a", both), ("b", north)))
    assert key(wide, dataset=dataset) != key(narrow, dataset=dataset)
    assert key(wide, dataset=dataset) == key(replace(wide, user="c"), dataset=dataset)


@pytest.mark.parametrize("change", [{"about": True}, {"decorate": lambda workbook, sheets: None}])
def test_a_file_that_may_show_who_asked_is_nobody_elses(change):
    dataset = replace(ORDERS, **change)
    assert key(ANN, dataset=dataset) == key(ANN, dataset=dataset)
    assert key(ANN, dataset=dataset) != key(BOB, dataset=dataset)
    assert key(ANN, dataset=dataset) != key(replace(ANN, roles=frozenset()), dataset=dataset)
    assert key(dataset=dataset, params={"city": "Rome"}) != key(dataset=dataset)


VALUES = [
    *(1, "1", True, 1.0, None, b"1", Decimal("1"), Decimal("1.0")),
    *(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), timedelta(1), UUID(int=1)),
    *(Region.NORTH, Region.SOUTH, "north", [1], [1, 2], ["1"], (), "[1]"),
]


@pytest.mark.parametrize("dialect", [postgresql, sqlite, mysql])
def test_values_that_differ_have_different_keys(dialect):
    def keyed(value):
        query = sa.text("SELECT :v").bindparams(sa.bindparam("v", value, sa.types.NullType()))
        return replace(KEYS, dialects={ROWS: dialect.dialect()}).key_of(
            ORDERS, query, {}, ANN, format_named("csv"), layout_of()
        )

    keys = [keyed(value) for value in VALUES]
    assert None not in keys
    assert len(set(keys)) == len(VALUES)


@pytest.mark.parametrize(
    "query",
    [
        sa.text("SELECT :v").bindparams(sa.bindparam("v", object(), sa.types.NullType())),
        sa.text("SELECT :nobody_said"),
    ],
)
def test_what_nobody_can_compare_is_not_shared(query):
    assert KEYS.key_of(ORDERS, query, {}, ANN, format_named("csv"), layout_of()) is None


@pytest.mark.parametrize("url", ["postgresql://h/d", "sqlite:///x.db", "mysql+pymysql://h/d"])
def test_the_keys_of_an_installation_speak_its_sources_dialect(tmp_path, url):
    keys = single_flight_keys(load(home=tmp_path, source_url=url))
    assert keys.dialects[ROWS].name == url.split(":")[0].split("+")[0]
    query = ORDERS.query({}, ANN)
    assert keys.key_of(ORDERS, query, {}, ANN, format_named("csv"), layout_of()) is not None
