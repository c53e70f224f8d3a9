"""Progress bars of the command line: rows on stderr, drawn by Rich when it is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ProgressBar:
    """A bar that is not drawn: stderr is not a terminal. `RichBar` draws the same calls."""

    def show(self, rows: int, total: int | None = None, size_bytes: int = 0) -> None:
        """Set how many rows are done, how many are expected, and how many bytes were made."""

    def advance(self, rows: int) -> None:
        """Add `rows` to those that are done."""


@contextmanager
def progress_bar(title: str, total: int | None = None) -> Iterator[ProgressBar]:
    """A progress bar for rows while the block runs."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield ProgressBar()
        return
    # Rich takes as long to load as the rest of the command line.
    from waybill.api.cli.rich_bar import rich_bar

    with rich_bar(title, total) as bar:
        yield bar
