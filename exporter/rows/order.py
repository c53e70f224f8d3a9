"""Runs of rows that have to follow one another: without a gap, a repeat, or a change of place."""

from __future__ import annotations

from waybill.exporter.errors import IncompleteExport


class RowOrder:
    """Follows one sequence of runs. Total numbers are somebody else's to compare."""

    def __init__(self, first_row: int | None = None) -> None:
        """Without `first_row`, the sequence may begin anywhere."""
        self._next = first_row

    def follow(self, first_row: int, rows: int) -> None:
        """Take note of the next run.

        Raises:
            IncompleteExport: it does not begin where the one before ended.
        """
        if self._next not in {None, first_row}:
            raise IncompleteExport(
                f"Row {self._next:,} was to come next, and row {first_row:,} came."
            )
        self._next = first_row + rows
