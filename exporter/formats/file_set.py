"""Sets of files: each shard is a whole file, and a manifest names them all.

For formats whose files cannot be joined, and for stores that do not join parts of several sizes.
The manifest depends on the rows and the layout only, so the same rows give the same manifest. It
comes last: a set that has one is complete.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.filenames import set_file_name
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.shard_end import (
    Mark,
    ShardedEncoding,
    ShardedFile,
    ShardEnd,
    combined_warnings,
)
from waybill.exporter.warning_rules import listed

if TYPE_CHECKING:
    from waybill.exporter.formats.registry import Format

#: Of the manifest. A key that is added leaves it; one that is changed or goes does not.
_VERSION = 1


class FileSet(ShardedEncoding):
    """A `ShardedEncoding` whose shards are files, and whose end is their manifest."""

    def __init__(self, file_format: Format, dataset: str) -> None:
        self._format = file_format
        self._dataset = dataset

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        *,
        file: ShardedFile,
        number: int,
        least_bytes: int,
        begin: Mark | None = None,
    ) -> Generator[bytes | Mark, None, ShardEnd]:
        """Yield a whole file with the rows of one shard, without marks or a least length."""
        own = replace(layout, rows_expected=file.rows_of(number))
        yield from self._format.encode(schema, batches, own, tally)
        if tally.file is None:
            raise IncompleteExport("The encoder did not say what the file has to be.")
        return ShardEnd(tally.rows, tally.file, warnings=tally.warnings)

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """The manifest."""
        manifest = {
            "format": self._format.name,
            "version": _VERSION,
            "dataset": self._dataset,
            "title": layout.title,
            "complete": True,
            "snapshot": layout.snapshot_at and layout.snapshot_at.isoformat(timespec="seconds"),
            "timezone": layout.timezone.key,
            "rows": sum(shard.rows for shard in shards),
            "bytes": sum(shard.file.size_bytes for shard in shards),
            "columns": self._format.columns_of(schema, layout),
            "about": dict(layout.about),
            **({"watermark": layout.watermark_text} if layout.watermark else {}),
            "warnings": listed(combined_warnings(shards)),
            "files": [
                {
                    "name": set_file_name(number, self._format.extension),
                    "rows": shard.rows,
                    "bytes": shard.file.size_bytes,
                    "sha256": _sha256_of(shard),
                }
                for number, shard in enumerate(shards)
            ],
        }
        return json.dumps(manifest, ensure_ascii=False, indent=2).encode()


def _sha256_of(shard: ShardEnd) -> str:
    [(_, sha256)] = shard.leaves
    return sha256
