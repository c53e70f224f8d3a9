"""Locks by name, for what no row stands for yet. They end with their transaction.

PostgreSQL's advisory locks. On SQLite nothing is done: it has one writer at a time.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def lock_out(connection: Connection, *name: str) -> None:
    """Go on alone: wait for all who hold `name`, and let others wait."""
    _lock(connection, sa.func.pg_advisory_xact_lock, name)


def lock_in(connection: Connection, *name: str) -> None:
    """Go on beside others who call this; wait for one who called `lock_out`."""
    _lock(connection, sa.func.pg_advisory_xact_lock_shared, name)


def _lock(connection: Connection, function: Any, name: tuple[str, ...]) -> None:
    if connection.dialect.name == "sqlite":
        return
    digest = hashlib.sha256("\0".join(name).encode("utf-8", "surrogatepass")).digest()
    # Two names with one number would only wait for each other without need.
    number = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(sa.select(function(sa.literal(number, sa.BigInteger()))))
