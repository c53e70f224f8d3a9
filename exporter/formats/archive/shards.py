"""Archives in shards: each shard writes whole parts, and the manifest and the directory come last.

Every part but the last has the same number of rows, so a shard knows the numbers of its parts. What
the manifest says of them travels with the end of the shard.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.part_archive import ArchiveParts, PartArchive
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.part_ends import PartEnds
from waybill.exporter.formats.shard_end import (
    Mark,
    ShardedEncoding,
    ShardedFile,
    ShardEnd,
    ShardsDoNotFit,
    combined_warnings,
)


class ArchiveShards(ShardedEncoding):
    """A `ShardedEncoding` of archives of `parts`."""

    def __init__(self, parts: ArchiveParts) -> None:
        self._parts = parts

    def rows_of_shard(self, wanted: int) -> int:
        """Whole parts, one at least."""
        rows = self._parts.part_rows
        return max(1, wanted // rows) * rows

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
        """Yield the parts of one shard; see `ShardedEncoding`.

        Raises:
            ShardsDoNotFit: a part would pass the bytes that one may have.
        """
        ends = PartEnds.of(file, number, least_bytes, begin)
        archive = self._archive(layout, 1 + number * file.rows_of_shard // self._parts.part_rows)
        if begin is not None:
            so_far = begin.so_far
            archive.go_on(so_far.file, so_far.entries, so_far.parts, begin.open)
            tally.go_on(so_far.rows, so_far.warnings)
        own = replace(layout, rows_expected=file.rows_of(number) - tally.rows)
        is_first = number == 0 and begin is None
        written = self._parts.write(archive, schema, batches, own, tally, is_first=is_first)
        with closing(written) as chunks:
            for chunk in chunks:
                if any(part.rows < self._parts.part_rows for part in archive.parts[-1:]):
                    raise ShardsDoNotFit(
                        "A part of these rows would be too large, and they are planned by number."
                    )
                yield chunk
                place = archive.open_part()
                if place is not None and ends.is_end(archive.checksum.size_bytes, tally.rows):
                    yield Mark(_so_far(archive, tally), place)
        yield archive.pad(ends.missing(archive.checksum.size_bytes)) + archive.close()
        tally.file = archive.checksum
        return _so_far(archive, tally)

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """The manifest and the directory."""
        archive = self._archive(layout)
        archive.follow((shard.file, shard.entries, shard.parts) for shard in shards)
        tally = Tally(sum(shard.rows for shard in shards), combined_warnings(shards))
        return archive.finish(self._parts.manifest(archive.parts, schema, layout, tally))

    def _archive(self, layout: Layout, first_part: int = 1) -> PartArchive:
        return PartArchive(layout.title, self._parts.extension, first=first_part)


def _so_far(archive: PartArchive, tally: Tally) -> ShardEnd:
    return ShardEnd(
        tally.rows,
        archive.checksum,
        entries=archive.entries,
        parts=list(archive.parts),
        warnings=tally.warnings.copy(),
    )
