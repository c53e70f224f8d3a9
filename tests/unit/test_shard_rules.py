"""Which exports may be written in shards, and from which size on."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from waybill import Column, Principal, Sharding
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.config.settings import load
from waybill.infra.exports.plan import plan_export
from waybill.infra.worker.sharding_rules import may_be_split, rows_of_shard, thresholds

_ROWS = sa.table("orders", sa.column("id", sa.Integer), sa.column("city", sa.Text))


_SORTED = sa.select(_ROWS).order_by(_ROWS.c.id)
_MIB = 1 << 20


def _may(file_format: str, query: sa.Select[Any] = _SORTED, **more: Any) -> bool:
    dataset = Dataset("orders", lambda _params, _user: query, key="id", **more)
    user = Principal("ann", "acme")
    return may_be_split(plan_export(load(), dataset, user, {}, file_format), "id")


def test_plain_rows_may_be_split() -> None:
    assert _may("xlsx")
    assert _may("xlsx", columns={"city": Column(label="City")})


@pytest.mark.parametrize(
    "more",
    [
        {"about": True},
        {"decorate": lambda _workbook, _sheets: None},
        {"rows_above": 2},
        {"columns": {"city": Column(group="Place")}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_workbook_with_more_than_rows_is_written_as_one_and_other_formats_do_not_mind(
    more: dict[str, Any],
) -> None:
    assert not _may("xlsx", **more)
    assert _may("csv.gz", **more)


def test_sheets_by_a_column_are_not_split() -> None:
    assert not _may("xlsx", sheet_by="city")


@pytest.mark.parametrize(
    ("query", "may"),
    [
        (sa.select(_ROWS), True),
        (sa.select(_ROWS.c.city, _ROWS.c.id).order_by("id"), False),
        (_SORTED.order_by(None).order_by(_ROWS.c.id.desc()), False),
        (sa.select(_ROWS).order_by(sa.text("id")), False),
        (sa.select(_ROWS).order_by(sa.text("id DESC")), False),
        (sa.select(_ROWS).order_by(sa.func.random()), False),
        (sa.select(_ROWS).order_by(sa.select(_ROWS.c.id).limit(1).scalar_subquery()), False),
        (_SORTED.order_by(_ROWS.c.city), False),
        (_SORTED.limit(10), False),
        (_SORTED.offset(10), False),
        (_SORTED.fetch(10), False),
        # The column of that name is another one.
        (sa.select(_ROWS.c.city.label("id"), _ROWS.c.id.label("n")).order_by(_ROWS.c.id), False),
        (sa.select(_ROWS.c.id.label("n"), _ROWS.c.city.label("id")).order_by(_ROWS.c.city), True),
    ],
    ids=str,
)
def test_all_rows_in_the_order_of_the_key_are_split(query: sa.Select[Any], may: bool) -> None:
    assert _may("csv.gz", query) is may


def test_the_order_of_a_masked_key_would_tell_its_values() -> None:
    covered = {"id": Column(mask="last4")}
    assert not _may("csv.gz", sa.select(_ROWS), columns=covered)
    # The dataset has this order for everybody.
    assert _may("csv.gz", columns=covered)
    assert not _may("csv.gz", columns={"id": Column(roles={"hr"})})


def test_a_request_goes_over_its_dataset_and_that_over_the_settings() -> None:
    settings = load(shard_from_rows=100, shard_from_bytes="1MiB")

    def held(of_dataset: Sharding, asked: Sharding | None) -> tuple[int | None, int | None, bool]:
        dataset = Dataset("orders", lambda _params, _user: _SORTED, sharding=of_dataset)
        found = thresholds(settings, dataset, asked)
        return found.from_rows, found.from_bytes, found.never

    assert held(Sharding(), None) == (100, _MIB, False)
    assert held(Sharding(from_rows=50), None) == (50, _MIB, False)
    assert held(Sharding(from_rows=50), Sharding(from_bytes=7)) == (50, 7, False)
    assert held(Sharding(from_rows=50), Sharding(from_rows=60)) == (60, _MIB, False)
    assert held(Sharding(never=True), Sharding(from_rows=2))[2]
    assert held(Sharding(), Sharding(never=True))[2]


@pytest.mark.parametrize(
    ("rows", "mebibytes", "of_shard"),
    [
        (20_000_000, 1, 5_000_000),
        # Many rows are split by rows, however long they are.
        (20_000_000, 1 << 20, 5_000_000),
        (19_999_999, 2_047, None),
        # 1 KiB a row: 512 MiB are 524,288 rows, and a little more or less changes nothing.
        (4_000_000, 3_907, 312_500),
        (4_000_000, 4_500, 312_500),
        (8_000_000, 2_048, 1_250_000),
        (2, 4_096, 1),
    ],
)
def test_an_export_is_split_for_its_rows_or_for_its_bytes(
    rows: int, mebibytes: int, of_shard: int | None
) -> None:
    settings = load()
    dataset = Dataset("orders", lambda _params, _user: _SORTED)
    limits = thresholds(settings, dataset, None)
    assert rows_of_shard(settings, limits, rows, mebibytes * _MIB) == of_shard
