"""An export whose store went away inside a shard goes on behind the last part on record."""

from __future__ import annotations

import gzip
from typing import Any

import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.db.tables import audit_log, export_shard
from waybill.infra.sources import open_source
from waybill.storage.errors import StorageUnavailable
from waybill.storage.memory import MemoryStore
from waybill.storage.parts import Part

ROWS = 420_000
TABLE = """
    CREATE TABLE many (id int PRIMARY KEY, text text);
    INSERT INTO many SELECT n, md5(n::text) || md5((-n)::text) FROM generate_series(1, 420000) n;
    ANALYZE;
"""
QUERY = sa.select(sa.table("many", sa.column("id"), sa.column("text")))
SETTINGS: dict[str, Any] = {
    "shard_from_rows": 2,
    "shard_rows": 400_000,
    "max_rows_per_export": ROWS,
}


class FailingStore(MemoryStore):
    """Takes the first parts, and is away then."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.left = parts
        #: The numbers of all parts, in the order in which they came.
        self.sent: list[int] = []

    def _receive(self, upload_id: str, number: int, data: bytes, crc32: str) -> Part:
        if not self.left:
            raise StorageUnavailable
        self.left -= 1
        self.sent.append(number)
        return super()._receive(upload_id, number, data, crc32)


def test_f133_each_finished_part_is_read_once(postgres_server, tmp_path):
    with postgres_server.database_of(TABLE) as url, sqlite_tables(tmp_path) as tasks:
        source, new = open_source(url), new_task(format="csv.gz", params={})
        dataset = Dataset("orders", lambda _params, _user: QUERY, key="id", resumable=True)

        def attempt(store: MemoryStore):
            return run_attempt(tasks, store, source, dataset, ANN, new, **SETTINGS)

        undisturbed = attempt(whole := FailingStore(99))
        assert len(whole.sent) == 4

        store = FailingStore(1)
        new = new_task(format="csv.gz", params={}, filename="again.csv.gz")
        lost = attempt(store)
        assert lost.status == "PENDING"
        with tasks.begin() as connection:
            rows = connection.execute(sa.select(export_shard)).mappings().all()
        [left] = [row["reached"] for row in rows if row["reached"]]
        assert [part["number"] for part in left["parts"]] == [1]
        store.left = 99
        done = attempt(store)
        assert (done.status, done.sha256) == ("SUCCESS", undisturbed.sha256)
        assert store.sent == whole.sent
        assert store.read(done.object_key) == whole.read(undisturbed.object_key)
        lines = gzip.decompress(store.read(done.object_key)).decode("utf-8-sig").splitlines()
        assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, ROWS + 1))
        with tasks.begin() as connection:
            resumed = connection.execute(
                sa.select(audit_log.c.detail).where(audit_log.c.action == "resume")
            ).scalar_one()
        assert resumed["rows"] == left["rows"]
