"""From a table in PostgreSQL or MariaDB to a signed link, against the straightforward pipeline.

Ours is the use case as a worker runs it, count and checks included. The peer is what one
would write without us: SQLAlchemy with `yield_per`, XlsxWriter, boto3's `upload_file`.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import sqlalchemy as sa

from tests.benchmarks.process import Figures
from tests.benchmarks.tables import named_rows
from tests.benchmarks.xlsx_encode import write_straightforwardly
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.ports import RowStream, Source
from waybill.exporter.run import run_export
from waybill.infra.sources import open_source
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store
from waybill.storage.store import Upload

_LINK_TTL = timedelta(minutes=15)
#: What SQLAlchemy's documentation uses; a hundred times as many gained nothing. (Measured.)
_YIELD_PER = 1_000


def ours(database: str, s3: dict[str, str], table: str) -> Figures:
    """Seconds in all, and until the store has the first part once the first row is read."""
    media_type = FORMATS["xlsx"].media_type
    clock = _Clock(open_source(database))
    key = f"ours-{secrets.token_hex(4)}.xlsx"
    with closing(S3Store(S3Config(**s3))) as store:
        start = time.perf_counter()

        @contextmanager
        def open_sink(stream: RowStream) -> Iterator[_WatchedUpload]:
            cells = (stream.rows_expected or 0) * len(stream.schema)
            with store.open_upload(
                key, content_type=media_type, expected_bytes=cells * 10
            ) as upload:
                yield _WatchedUpload(upload, clock)

        outcome = run_export(clock, named_rows(table), encode_xlsx, Layout(), open_sink)
        store.presign(key, filename="rows.xlsx", content_type=media_type, ttl=_LINK_TTL)
        seconds = time.perf_counter() - start
        store.delete(key)
    return {
        "seconds": seconds,
        "rows": outcome.rows_written,
        "file_bytes": outcome.size_bytes,
        "first_part_seconds": (clock.first_part or start + seconds) - clock.first_row,
    }


@dataclass
class _Clock:
    """The source, and when its first rows came and their first part had arrived."""

    source: Source
    first_row: float = field(default=0.0, init=False)
    #: Seen at the next write, so a little late; of a file of one part, when all is stored.
    first_part: float = field(default=0.0, init=False)

    @contextmanager
    def open(self, query: Query, *, count: bool = True) -> Iterator[RowStream]:
        with self.source.open(query, count=count) as stream:
            yield _WatchedStream(stream, self)


@dataclass
class _WatchedStream:
    stream: RowStream
    clock: _Clock

    @property
    def schema(self) -> pa.Schema:
        return self.stream.schema

    @property
    def snapshot_at(self) -> datetime:
        return self.stream.snapshot_at

    @property
    def rows_expected(self) -> int | None:
        return self.stream.rows_expected

    @property
    def read_as_text(self) -> Mapping[int, int]:
        return self.stream.read_as_text

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self.stream:
            self.clock.first_row = self.clock.first_row or time.perf_counter()
            yield batch

    def cancel(self) -> None:
        self.stream.cancel()


@dataclass
class _WatchedUpload:
    upload: Upload
    clock: _Clock

    def write(self, data: bytes) -> None:
        self.upload.write(data)
        if not self.clock.first_part and self.upload.bytes_uploaded:
            self.clock.first_part = time.perf_counter()

    def expect(self, size_bytes: int, crc32: int) -> None:
        self.upload.expect(size_bytes, crc32)


def peer(database: str, s3: dict[str, str], table: str) -> Figures:
    """Seconds in all."""
    bucket, key = s3["bucket"], f"peer-{secrets.token_hex(4)}.xlsx"
    client: Any = boto3.client(
        "s3",
        endpoint_url=s3["endpoint_url"],
        aws_access_key_id=s3["access_key_id"],
        aws_secret_access_key=s3["secret_access_key"],
        region_name=s3["region"],
    )
    engine = sa.create_engine(database)
    query = named_rows(table).execution_options(yield_per=_YIELD_PER, stream_results=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.xlsx"
        start = time.perf_counter()
        with engine.connect() as connection:
            result = connection.execute(query)
            write_straightforwardly(path, list(result.keys()), result)
        client.upload_file(str(path), bucket, key)
        target = {"Bucket": bucket, "Key": key}
        client.generate_presigned_url("get_object", Params=target, ExpiresIn=900)
        seconds = time.perf_counter() - start
        size = path.stat().st_size
    client.delete_object(**target)
    engine.dispose()
    return {"seconds": seconds, "file_bytes": size}
