"""The statements that code sends to the task database, recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine


@contextmanager
def recorded(engine: Engine, *, selects: bool = False) -> Iterator[list[tuple[str, Any]]]:
    """Each statement that changes rows, and its values, while it is open; with `selects`, all."""
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, text: str, values: Any, *_more: object) -> None:
        if selects or re.search(r"\b(UPDATE \w|DELETE FROM)", text):
            statements.append((text, values))

    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)
