"""Files under a password: any format as the one file of an encrypted archive.

CSV is compressed on the way, as in `csv.zip`; other formats are compressed already.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.encrypted_zip import EncryptedZip
from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.encoding import Encode, Tally

if TYPE_CHECKING:
    from waybill.exporter.formats.registry import Format


@dataclass(frozen=True, slots=True)
class Protection:
    """How one export is encrypted."""

    #: New keys for each file that is begun: two of the same keys would betray each other.
    take_keys: Callable[[], FileKeys]
    #: The name of the file inside the archive, which anybody can read.
    entry_name: str

    def encoder(self, file_format: Format) -> Encode:
        """The encoder of protected files of this format."""

        def encode_protected(
            schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
        ) -> Generator[bytes, None, None]:
            blocks = file_format.deflated(schema, batches, layout, tally)
            if blocks is None:
                yield from self.encrypt(file_format.encode(schema, batches, layout, tally), tally)
            else:
                yield from self._archive(blocks, tally, deflated=True)

        return encode_protected

    def encrypt(
        self, chunks: Generator[bytes, None, None], tally: Tally
    ) -> Generator[bytes, None, None]:
        """The archive of the file that an encoder yields; afterwards `tally` is of the archive.

        Raises:
            IncompleteExport: the encoder says that its file is another one.
        """

        def blocks() -> Generator[Block, None, None]:
            seen = Checksum()
            for chunk in chunks:
                checksum = Checksum.of(chunk)
                seen += checksum
                yield Block(0, checksum, chunk, checksum)
            if tally.file != seen:
                raise IncompleteExport("Bytes of the file changed before they were encrypted.")

        with closing(chunks):
            yield from self._archive(blocks(), tally, deflated=False)

    def _archive(
        self, blocks: Iterable[Block], tally: Tally, *, deflated: bool
    ) -> Generator[bytes, None, None]:
        archive = EncryptedZip(self.entry_name, self.take_keys(), deflated=deflated)
        yield archive.open()
        for block in blocks:
            yield archive.add(block)
        yield archive.finish()
        tally.file = archive.checksum
