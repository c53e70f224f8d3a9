"""What an encoder is: Arrow batches in, the bytes of one file out.

An encoder is a generator function, so it can hold back no more than it needs: the caller
pulls, the encoder pulls batches, and nothing runs ahead of the slowest of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from exporter.layout import Layout


@dataclass(slots=True)
class Tally:
    """What an encoder has done so far; written by the encoder, read by everybody else."""

    #: Data rows in the bytes yielded so far, headers not counted.
    rows: int = 0
    #: How often a value had to be changed, by (column name, rule).
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)


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

        Raises:
            LimitExceeded: the format cannot hold this schema or so many rows.
        """
        ...
