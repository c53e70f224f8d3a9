"""How the command line talks: results on stdout, progress and one-line errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from waybill.exporter.run import ExportProgress

#: For people. stdout is for results, which may be piped.
err = Console(stderr=True, highlight=False)
out = Console(highlight=False, soft_wrap=True)


def emit(data: dict[str, Any] | list[Any], text: str, *, as_json: bool) -> None:
    """Print one result: `data` as JSON for programs, or `text` for people."""
    sys.stdout.write(
        (json.dumps(data, ensure_ascii=False, default=str) if as_json else text) + "\n"
    )
    sys.stdout.flush()


class RowsColumn(ProgressColumn):
    """Rows done, rows expected, and rows a second."""

    def render(self, task: Task) -> Text:
        """One cell of the bar."""
        total = f"/{int(task.total):,}" if task.total else ""
        speed = f"  {int(task.speed):,} rows/s" if task.speed else ""
        return Text(f"{int(task.completed):,}{total} rows{speed}")


class BytesColumn(ProgressColumn):
    """Bytes made so far."""

    def render(self, task: Task) -> Text:
        """One cell of the bar."""
        made = task.fields.get("made", 0)
        return Text(f"{made / 1e6:,.1f} MB" if made else "")


@contextmanager
def progress_bar(title: str, total: int | None = None) -> Iterator[tuple[Progress, Any]]:
    """A progress bar for rows, on stderr; silent when stderr is not a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        RowsColumn(),
        BytesColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    ) as bar:
        yield bar, bar.add_task(title, total=total)


def show(bar: Progress, row: Any, progress: ExportProgress) -> None:
    """Bring a bar up to date with an export."""
    bar.update(
        row,
        completed=progress.rows_done,
        total=progress.rows_total,
        made=progress.bytes_rendered,
    )
