"""MariaDB by every way and with any option of a URL: the same rows, generated for every type."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.judges.differential.mariadb import fill, names
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query

ROWS = 20


@pytest.fixture(scope="module")
def url(mariadb_server) -> Iterator[str]:
    with mariadb_server.database() as url:
        fill(url, ROWS)
        yield url


def read(url: str, query: sa.Select | sa.TextClause) -> pa.Table:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


def test_table_query_and_dataset_have_the_same_types_and_values(url):
    table = read(url, table_query(url, "judged"))
    columns = map(sa.column, ["id", *names()])
    dataset = sa.select(*columns).select_from(sa.text("judged")).order_by(sa.column("id"))

    for query in (text_query("SELECT * FROM judged ORDER BY id"), dataset):
        other = read(url, query)
        assert other.schema.equals(table.schema, check_metadata=True)
        assert other.equals(table)


@pytest.mark.parametrize(
    "options",
    [
        *("charset=utf8", "charset=latin1", "charset=gbk", "charset=binary", "use_unicode=0"),
        *("init_command=SET NAMES latin1", "init_command=SET time_zone = '%2B05:00'"),
        *("init_command=SET sql_select_limit = 1", "sql_mode=NO_BACKSLASH_ESCAPES"),
        *("sql_mode=ANSI_QUOTES", "sql_mode=PAD_CHAR_TO_FULL_LENGTH", "sql_mode=ORACLE"),
        *("sql_mode=HIGH_NOT_PRECEDENCE,PIPES_AS_CONCAT", "collation=latin1_bin"),
        "sql_mode=STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE",
    ],
)
def test_no_option_of_a_url_changes_a_value(url, options):
    expected = read(url, table_query(url, "judged"))

    other = f"{url}?{options}"

    assert read(other, table_query(other, "judged")).equals(expected)
    found = read(other, text_query("SELECT '客户 🙂' AS x WHERE '🙂' = '🙂'"))
    assert found["x"].to_pylist() == ["客户 🙂"]
