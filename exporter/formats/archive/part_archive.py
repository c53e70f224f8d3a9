"""Part archive: a zip archive of numbered parts with a manifest, written front to back.

The manifest comes last and states the length, the rows and the SHA-256 of every part. So an
archive that has one is complete, and can be checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.zip_stream import ZipStream
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.filenames import part_filename

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

    def __init__(self, title: str, extension: str) -> None:
        """Name the parts by `part_filename`."""
        self._title = title
        self._extension = extension
        self._zip = ZipStream(zip64=True)
        self._digest = hashlib.sha256()
        self.parts: list[ArchivePart] = []
        #: Data rows and uncompressed bytes of the open part.
        self.rows = 0
        self.raw = Checksum()

    @property
    def checksum(self) -> Checksum:
        """Of everything returned so far."""
        return self._zip.checksum

    def open(self) -> bytes:
        """Begin the next part."""
        self.rows, self.raw = 0, Checksum()
        self._digest = hashlib.sha256()
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
        return part_filename(self._title, len(self.parts) + 1, self._extension)
