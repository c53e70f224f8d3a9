"""Part ends: where the parts of a shard's upload end, so that they end between two rows.

The rule knows rows and bytes alone, and no clock: two processes that write the same shard, or the
rest of it, end the same parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from waybill.exporter.formats.shard_end import Mark, ShardedFile


@dataclass(slots=True)
class PartEnds:
    """The ends of parts of one shard of `rows` rows.

    Each has at least `part_bytes`, and the last one at least `least_bytes`.
    """

    rows: int
    least_bytes: int
    part_bytes: int
    #: Where the last part ended, in the bytes of the shard.
    _last: int = 0

    @classmethod
    def of(
        cls, file: ShardedFile, number: int, least_bytes: int, begin: Mark | None = None
    ) -> PartEnds:
        """Those of the shard `number` of `file`, behind `begin`."""
        last = begin.so_far.file.size_bytes if begin else 0
        part_bytes = max(least_bytes, file.part_bytes)
        return cls(file.rows_of(number), least_bytes, part_bytes, last)

    def is_end(self, size_bytes: int, rows: int) -> bool:
        """Whether a part ends behind `size_bytes` of the shard, which are all of its first `rows`.

        The bytes to come have to be enough for the last one, as far as those so far tell.
        """
        if not 0 < rows < self.rows or size_bytes - self._last < self.part_bytes:
            return False
        if size_bytes * (self.rows - rows) < self.least_bytes * rows:
            return False
        self._last = size_bytes
        return True

    def missing(self, size_bytes: int) -> int:
        """How many bytes the last part still needs where the shard ends behind `size_bytes`."""
        return max(0, self.least_bytes - (size_bytes - self._last))
