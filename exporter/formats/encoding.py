"""Encoder protocol: sealed Arrow batches in, the bytes of one file out.

An encoder is a generator function: the caller pulls bytes, the encoder pulls batches, and nothing
runs ahead of the slowest of them (docs/decisions/0003-encoders-are-generators.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.warning_rules import Warnings

if TYPE_CHECKING:
    # Code that only names formats should not load the compression library.
    from waybill.exporter.blocks.block import Checksum


@dataclass(slots=True)
class Tally:
    """What an encoder has done so far. Only the encoder writes it."""

    #: Data rows counted in the bytes yielded so far, headers not counted.
    rows: int = 0
    #: How often a value had to be changed, by (column name, rule).
    warnings: Warnings = field(default_factory=Counter)
    #: Of all yielded bytes, combined from checksums taken where they were made. Set at the end.
    file: Checksum | None = field(default=None, compare=False)

    def go_on(self, rows: int, warnings: Warnings) -> None:
        """Count on from where another process was."""
        self.rows = rows
        self.warnings.update(warnings)


class Encode(Protocol):
    """The signature of every encoder."""

    def __call__(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
    ) -> Generator[bytes, None, None]:
        """Yield the file from its first byte to its last, keeping `tally` up to date.

        `batches` carry seals (`exporter/rows/seals.py`), checked where rows are rendered.

        Raises:
            LimitExceeded: the format cannot hold this schema or this many rows.
            IncompleteExport: rows were lost, repeated, swapped or changed on their way.
        """
        ...
