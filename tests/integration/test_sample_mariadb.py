"""The sample shop on MariaDB: filled by the command's own parts, and the rows it has elsewhere."""

from __future__ import annotations

import pyarrow as pa
import pytest

from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import Settings
from waybill.infra.sample.fill import fill_sample, sample_size
from waybill.infra.sample.tables import orders, users
from waybill.infra.sources import open_source


def rows_of(url: str, table) -> list[dict]:
    query = table.select().order_by(table.c.id)
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), stream.schema).to_pylist()


@pytest.mark.parametrize("table", [orders, users], ids=lambda table: table.name)
def test_the_shop_on_mariadb_has_the_rows_of_the_shop_on_sqlite(tmp_path, mariadb_server, table):
    lite = f"sqlite:///{tmp_path / 'shop.db'}"
    with mariadb_server.database() as maria:
        for url in (lite, maria):
            with Stack(Settings(home=tmp_path, source_url=url)) as stack:
                stack.check_rows_database()
                assert fill_sample(stack.rows_engine, 60) == 60
                assert fill_sample(stack.rows_engine, 60) == 0
                assert sample_size(stack.rows_engine) == 60
        found, expected = rows_of(maria, table), rows_of(lite, table)
    assert expected
    for ours, theirs in zip(found, expected, strict=True):
        assert comparable(ours) == comparable(theirs)


def comparable(row: dict) -> dict:
    """A row without the zone of its times, which is UTC on both; MariaDB has no booleans."""
    return {
        name: value.replace(tzinfo=None) if getattr(value, "tzinfo", None) else value
        for name, value in row.items()
    }
