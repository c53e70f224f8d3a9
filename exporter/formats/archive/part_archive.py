"""Part archive: a zip archive of numbered parts with a manifest, written front to back.

The manifest comes last and states the length, the rows and the SHA-256 of every part. So an
archive that has one is complete, and can be checked.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum, padding
from waybill.exporter.blocks.zip_stream import FragmentEntry, ZipStream, fragment_entry
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.filenames import part_filename
from waybill.exporter.formats.archive.going_digest import GoingDigest
from waybill.exporter.formats.encoding import Encode, Tally

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class ArchivePart:
    """A finished file of the archive."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


class PartArchive:
    """Writes one archive: for each part `open`, `add` … and `close`, then `finish`.

    Each call returns the bytes to append. The archive may pass 4 GiB, no part may.
    """

    def __init__(self, title: str, extension: str, *, first: int = 1) -> None:
        """Name the parts by `part_filename`; `first` is the number of the first one."""
        self._title = title
        self._extension = extension
        self._first = first
        self._zip = ZipStream(zip64=True)
        self._digest = GoingDigest()
        self.parts: list[ArchivePart] = []
        #: Data rows and uncompressed bytes of the open part.
        self.rows = 0
        self.raw = Checksum()
        #: What another process has to know of the content of the open part to go on in it, as JSON;
        #: None where none can. The writer of the part sets this.
        self.inside: Mapping[str, Any] | None = None

    @property
    def checksum(self) -> Checksum:
        """Of everything returned so far."""
        return self._zip.checksum

    @property
    def is_open(self) -> bool:
        """Whether a part is open."""
        return self._zip.open_entry is not None

    @property
    def entries(self) -> list[FragmentEntry]:
        """What the directory will say of the finished parts."""
        return self._zip.entries

    def follow(
        self,
        fragments: Iterable[tuple[Checksum, Sequence[FragmentEntry], Sequence[ArchivePart]]],
    ) -> None:
        """Go on behind these, one after the other, of which others have written the bytes."""
        pieces = list(fragments)
        self._zip = ZipStream.behind([piece[:2] for piece in pieces], zip64=True)
        self.parts = [part for *_, parts in pieces for part in parts]

    def open_part(self) -> dict[str, Any] | None:
        """What `go_on` has to know of the open part, as JSON, empty between two parts.

        None where no other process can go on with this part.
        """
        if (entry := self._zip.open_entry) is None:
            return {}
        digest = self._digest.state
        if self.inside is None or digest is None:
            return None
        return {
            "entry": list(entry),
            "rows": self.rows,
            "raw": [self.raw.size_bytes, self.raw.crc32],
            "sha256": digest,
            "inside": dict(self.inside),
        }

    def go_on(
        self,
        checksum: Checksum,
        entries: Sequence[FragmentEntry],
        parts: Sequence[ArchivePart],
        part: Mapping[str, Any],
    ) -> None:
        """Go on where another process was: behind finished parts, and in one that was open."""
        self.follow([(checksum, entries, parts)])
        if part:
            self._zip.reopen(fragment_entry(*part["entry"]))
            self.rows, self.raw = part["rows"], Checksum(*part["raw"])
            self._digest = GoingDigest(part["sha256"])
            self.inside = part["inside"]

    def open(self) -> bytes:
        """Begin the next part."""
        self.rows, self.raw, self.inside = 0, Checksum(), None
        self._digest = GoingDigest()
        return self._zip.open(self._next_path())

    def add(self, block: Block, raw: bytes) -> bytes:
        """Append `block`, which holds `raw`, to the open part.

        Raises:
            IncompleteExport: `raw` is not what the block was made of.
        """
        if Checksum.of(raw) != block.raw:
            raise IncompleteExport("A part of the archive was changed after it was rendered.")
        self._digest.update(raw)
        self.rows += block.rows
        self.raw += block.raw
        return self._zip.add(block)

    def pad(self, least_bytes: int) -> bytes:
        """At least `least_bytes` in the open part that readers pass over."""
        return self._zip.add(padding(least_bytes)) if least_bytes else b""

    def close(self) -> bytes:
        """End the open part."""
        self.parts.append(
            ArchivePart(self._next_path(), self.rows, self.raw.size_bytes, self._digest.hexdigest())
        )
        return self._zip.close()

    def finish(self, manifest: bytes) -> bytes:
        """The manifest and the directory: the end of the archive."""
        return self._zip.file(MANIFEST_NAME, manifest) + self._zip.finish()

    def _next_path(self) -> str:
        return part_filename(self._title, self._first + len(self.parts), self._extension)


class ArchiveParts(Protocol):
    """How the parts of one kind of archive are written."""

    @property
    def extension(self) -> str:
        """Of each part."""
        ...

    @property
    def part_rows(self) -> int:
        """Rows of each part, but for the last, and for one that has too many bytes before."""
        ...

    def write(
        self,
        archive: PartArchive,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        *,
        is_first: bool,
    ) -> Generator[bytes, None, None]:
        """Yield all parts of these rows; the last one stays open.

        `is_first` says whether no rows of the archive come before: what is to be counted once for
        the whole archive is counted then. Where a part is open already, the first rows are its, and
        `archive.inside` is what was set when another process was there.
        """
        ...

    def manifest(
        self, parts: Sequence[ArchivePart], schema: pa.Schema, layout: Layout, tally: Tally
    ) -> bytes:
        """The manifest of all parts."""
        ...


def archive_encoder(parts: ArchiveParts) -> Encode:
    """The encoder of archives of `parts`, one part after the other."""

    def encode_archive(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        archive = PartArchive(layout.title, parts.extension)
        written = parts.write(archive, schema, batches, layout, tally, is_first=True)
        with closing(written):
            # Empty chunks say where another process can go on, which here none does.
            yield from filter(None, written)
        yield archive.close()
        yield archive.finish(parts.manifest(archive.parts, schema, layout, tally))
        tally.file = archive.checksum

    return encode_archive
