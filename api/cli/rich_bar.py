"""A progress bar on a terminal, drawn by Rich."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from waybill.api.cli.progress import ProgressBar


class RichBar(ProgressBar):
    """One row of a Rich progress display."""

    def __init__(self, display: Progress, row: TaskID) -> None:
        self._display = display
        self._row = row

    def show(self, rows: int, total: int | None = None, size_bytes: int = 0) -> None:
        """Set the figures; a `total` of None leaves the expected rows as they are."""
        self._display.update(self._row, completed=rows, total=total, size_bytes=size_bytes)

    def advance(self, rows: int) -> None:
        """Add `rows` to those that are done."""
        self._display.advance(self._row, rows)


class _RowsColumn(ProgressColumn):
    """Rows done, rows expected, and rows a second."""

    def render(self, task: Task) -> Text:
        total = f"/{int(task.total):,}" if task.total else ""
        speed = f"  {int(task.speed):,} rows/s" if task.speed else ""
        return Text(f"{int(task.completed):,}{total} rows{speed}")


class _BytesColumn(ProgressColumn):
    """Bytes made so far."""

    def render(self, task: Task) -> Text:
        size_bytes = task.fields.get("size_bytes", 0)
        return Text(f"{size_bytes / 1e6:,.1f} MB" if size_bytes else "")


@contextmanager
def rich_bar(title: str, total: int | None) -> Iterator[RichBar]:
    """Show a bar on stderr while the block runs."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _RowsColumn(),
        _BytesColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
    ) as display:
        yield RichBar(display, display.add_task(title, total=total))
