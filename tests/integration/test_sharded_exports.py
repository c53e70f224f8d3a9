"""Which exports a worker writes in shards: real rows, a real database, the worker's own code."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.attempts import exported, run_attempt
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill import Column, Sharding
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.ports import RowCount
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceUnavailable
from waybill.infra.sources.postgres.source import PostgresSource
from waybill.infra.tasks.tree_digest import is_tree_digest
from waybill.storage.memory import MemoryStore

ROWS = 3_000
ORDERS = sa.table("orders", sa.column("id"), sa.column("city"))
#: Small enough for a test; a shard of ten columns and more is expected to have some kilobytes.
SMALL: dict[str, Any] = {
    "shard_from_rows": 2_000,
    "shard_from_bytes": "1GiB",
    "shard_rows": 1_000,
    "shard_bytes": "4KB",
}


TABLES = """
    CREATE TABLE orders (id int, city text);
    CREATE TABLE numbered (id int PRIMARY KEY, city text);
    CREATE TABLE coded (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), city text);
    CREATE TABLE worded (id text PRIMARY KEY, city text);
    CREATE TABLE paired (id int, city text, PRIMARY KEY (id, city));
    CREATE VIEW viewed AS SELECT * FROM numbered;
    INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, 3000) AS n;
    INSERT INTO numbered SELECT * FROM orders;
    INSERT INTO worded SELECT * FROM orders;
    INSERT INTO paired SELECT * FROM orders;
    INSERT INTO coded (city) SELECT city FROM orders;
    ANALYZE;
"""


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    """A database with tables, which the tests only read."""
    with postgres_server.database_of(TABLES) as url:
        yield url


def is_split(
    url: str,
    tmp_path,
    query: sa.Select[Any],
    settings: dict[str, Any] = SMALL,
    **more: Any,
) -> bool:
    task, data = exported(url, tmp_path, query, "csv.gz", settings=settings, **more)
    assert task.rows_written == ROWS
    lines = gzip.decompress(data).decode("utf-8-sig").splitlines()
    assert len(set(lines)) == ROWS + 1
    return is_tree_digest(task.sha256)


def test_an_export_with_enough_rows_is_split(url, tmp_path):
    assert is_split(url, tmp_path, sa.select(ORDERS), key="id")
    more = SMALL | {"shard_from_rows": ROWS + 1}
    assert not is_split(url, tmp_path, sa.select(ORDERS), key="id", settings=more)


def test_or_with_enough_bytes(url, tmp_path):
    settings = SMALL | {"shard_from_rows": 10**9, "shard_from_bytes": "20KB"}
    assert is_split(url, tmp_path, sa.select(ORDERS), key="id", settings=settings)


@pytest.mark.parametrize("asks", ["dataset", "request"])
@pytest.mark.parametrize(
    ("sharding", "splits"),
    [
        ({"never": True}, False),
        ({"from_rows": ROWS + 1}, False),
        ({"from_rows": ROWS + 1, "from_bytes": 20_000}, True),
    ],
    ids=str,
)
def test_datasets_and_requests_say_from_which_size_on(url, tmp_path, asks, sharding, splits):
    asked = {"sharding": Sharding(**sharding)} if asks == "dataset" else {}
    options = {"sharding": sharding} if asks == "request" else None
    assert is_split(url, tmp_path, sa.select(ORDERS), key="id", options=options, **asked) is splits


def test_a_request_makes_no_shards_smaller_than_the_settings_say(url, tmp_path):
    settings = SMALL | {"shard_from_rows": 10**9, "shard_rows": ROWS}
    options = {"sharding": {"from_rows": 2}}
    assert not is_split(
        url, tmp_path, sa.select(ORDERS), key="id", settings=settings, options=options
    )


def table(name: str) -> sa.TableClause:
    return sa.table(name, sa.column("id"), sa.column("city"))


NUMBERED = table("numbered")


@pytest.mark.parametrize(
    ("query", "splits"),
    [
        (sa.select(NUMBERED), True),
        (sa.select(NUMBERED).order_by(NUMBERED.c.id), True),
        (sa.select(table("coded")), True),
        (sa.select(table("paired")), False),
        (sa.select(table("viewed")), False),
        (sa.select(table("worded")), False),
        (sa.select(ORDERS), False),
        (sa.select(NUMBERED.c.city), False),
        (sa.select(NUMBERED).order_by(NUMBERED.c.city), False),
        (sa.select(NUMBERED).order_by(NUMBERED.c.id.desc()), False),
    ],
    ids=str,
)
def test_without_a_declared_key_the_primary_key_of_the_only_table_is_taken(
    url, tmp_path, query, splits
):
    assert is_split(url, tmp_path, query) is splits


def test_a_dataset_is_never_split_if_it_says_so(url, tmp_path):
    assert not is_split(url, tmp_path, sa.select(NUMBERED), sharding=Sharding(never=True))


@pytest.mark.parametrize("column", [Column(mask="last4"), Column(roles={"hr"})], ids=str)
def test_a_covered_key_is_not_taken(url, tmp_path, column):
    assert not is_split(url, tmp_path, sa.select(NUMBERED), columns={"id": column})


def test_columns_that_a_request_chooses_have_the_key_or_the_file_is_one_piece(url, tmp_path):
    chosen = [{"columns": [{"name": "city"}, {"name": "id", "label": "Nr"}]}]
    chosen.append({"columns": [{"name": "city"}]})
    assert [is_split(url, tmp_path, sa.select(NUMBERED), options=each) for each in chosen] == [
        True,
        False,
    ]


def test_a_small_table_is_not_even_asked_for_its_rows(url, tmp_path):
    """20 million rows take more than these on any disk."""
    asked: list[object] = []

    class Watched(PostgresSource):
        def count(self, query, *, within):
            asked.append(query)
            return super().count(query, within=within)

    dataset = Dataset("orders", lambda _params, _user: sa.select(NUMBERED))
    with sqlite_tables(tmp_path) as tasks:
        new = new_task(task_type="orders", format="csv.gz", params={})
        run_attempt(
            tasks, MemoryStore(), Watched(sa.make_url(url)), dataset, ANN, new,
            counter=open_source(url),
        )  # fmt: skip
    assert asked == []


def test_without_an_estimate_an_export_is_one_piece(url, tmp_path):
    class Silent(PostgresSource):
        def count(self, query, *, within):
            raise SourceUnavailable("The source database did not answer.")

    class Unsure(PostgresSource):
        def count(self, query, *, within):
            return RowCount()

    dataset = Dataset("orders", lambda _params, _user: sa.select(NUMBERED))
    for kind in (Silent, Unsure):
        folder, store = tmp_path / kind.__name__, MemoryStore()
        folder.mkdir()
        with sqlite_tables(folder) as tasks:
            new = new_task(task_type="orders", format="csv.gz", params={})
            source = kind(sa.make_url(url))
            done = run_attempt(tasks, store, source, dataset, ANN, new, **SMALL)
        assert (done.status, done.rows_written) == ("SUCCESS", ROWS)
        assert not is_tree_digest(done.sha256)
