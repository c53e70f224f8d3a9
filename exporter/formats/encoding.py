"""What an encoder is: sealed Arrow batches in, the bytes of one file out.

An encoder is a generator function, so it can hold back no more than it needs: the caller
pulls, the encoder pulls batches, and nothing runs ahead of the slowest of them.
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
    # Whoever only names formats need not load what compresses them.
    from waybill.exporter.blocks.block import Checksum


@dataclass(slots=True)
class Tally:
    """What an encoder has done so far; written by the encoder, read by everybody else."""

    #: Data rows counted in the bytes yielded so far, headers not counted.
    rows: int = 0
    #: How often a value had to be changed, by (column name, rule).
    warnings: Warnings = field(default_factory=Counter)
    #: What all yielded bytes have to be, put together from what was noted where each of them
    #: was made. Set at the end.
    file: Checksum | None = field(default=None, compare=False)


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
            LimitExceeded: the format cannot hold this schema or so many rows.
            IncompleteExport: rows were lost, repeated, swapped or changed on their way.
        """
        ...
