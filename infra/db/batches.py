"""Rows that a statement takes in batches, chosen once under every query plan.

``UPDATE … WHERE id IN (SELECT … LIMIT n)`` may run the inner query again for each row: with
``FOR UPDATE SKIP LOCKED`` one such statement took minutes. A materialized CTE is run once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def chosen_once(query: sa.Select[Any]) -> sa.Select[Any]:
    """The rows of `query`, for ``column.in_(…)``; it is run once for the statement."""
    return sa.select(query.cte().prefix_with("MATERIALIZED"))


def free_rows(query: sa.Select[Any]) -> sa.Select[Any]:
    """As `chosen_once`, without the rows that another transaction has locked, and locking them."""
    return chosen_once(query.with_for_update(skip_locked=True))
