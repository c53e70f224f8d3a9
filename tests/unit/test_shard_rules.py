"""Which exports may be written in shards: those whose file is nothing but its rows."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from waybill import Column, Principal
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.config.settings import load
from waybill.infra.exports.plan import plan_export
from waybill.infra.worker.sharded_run import may_be_split

_ROWS = sa.table("orders", sa.column("id", sa.Integer), sa.column("city", sa.Text))


def _may(file_format: str, **more: Any) -> bool:
    dataset = Dataset(
        "orders", lambda _params, _user: sa.select(_ROWS).order_by(_ROWS.c.id), key="id", **more
    )
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
