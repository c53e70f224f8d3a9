"""Where the processor time of an export goes: each stage alone, one after the other.

They overlap when an export runs, so their sum over the number of cores is the least it can
take, and whatever the two servers use comes on top.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from contextlib import closing
from typing import Any

from tests.benchmarks.process import Figures
from tests.benchmarks.tables import all_rows
from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.infra.sources import open_source
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

#: By name, in order.
STAGES = (
    CONNECT := "connect",
    COUNT := "count and settle the types",
    READ := "read (ADBC)",
    RENDER := "render and deflate",
    DEFLATE := "of it deflate (ISA-L)",
    DIGEST := "digest (SHA-256)",
    UPLOAD := "upload (boto3, SHA-256, CRC-32)",
)

#: About what one run of rows is, as XML.
_BLOCK_BYTES = 4 << 20


def ours(database: str, s3: dict[str, Any], table: str) -> Figures:
    """Seconds of processor time of this process, by stage of table → XLSX → store."""
    laps = _Laps()
    with open_source(database).open(all_rows(table)) as stream:
        laps.end(CONNECT)
        schema, _ = stream.schema, stream.rows_expected
        laps.end(COUNT)
        batches = list(stream)
        laps.end(READ)
    chunks = list(encode_xlsx(schema, batches, Layout(), Tally()))
    laps.end(RENDER)
    file = b"".join(chunks)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        xml = memoryview(archive.read("xl/worksheets/sheet1.xml"))
    laps.skip()
    for start in range(0, len(xml), _BLOCK_BYTES):
        Block.of(xml[start : start + _BLOCK_BYTES])
    laps.end(DEFLATE)
    hashlib.sha256(file).hexdigest()
    laps.end(DIGEST)
    with closing(S3Store(S3Config(**s3))) as store:
        store.check()
        laps.skip()
        with store.open_upload("stages", content_type="application/zip") as upload:
            for chunk in chunks:
                upload.write(chunk)
            whole = Checksum.of(file)
            upload.expect(whole.size_bytes, whole.crc32)
        laps.end(UPLOAD)
        store.delete("stages")
    return laps.seconds


class _Laps:
    """Processor time between calls, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.process_time()

    def end(self, name: str) -> None:
        self.seconds[name] = time.process_time() - self._begun
        self.skip()

    def skip(self) -> None:
        self._begun = time.process_time()
