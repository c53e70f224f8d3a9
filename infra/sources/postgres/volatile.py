"""Whether a PostgreSQL query gives other rows each time, by the plan the server makes for it.

In a plan, views and functions in SQL are already resolved. Chance in a column that is only shown
(``SELECT gen_random_uuid(), …``) or sorted by changes no number of rows; in a condition, below
one, or in what makes rows it may. Functions in other languages than C count as written with care,
though they are volatile unless declared otherwise: `counts.check_count` finds those that are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from psycopg import sql

Plan = Mapping[str, Any]

#: Only from a word's beginning: a constant in a plan may be a text of megabytes. (NAMEDATALEN)
_CALL = re.compile(r'(?<![\w$])([^\W\d][\w$]{0,62})"?\(')

#: Where a plan says which rows there are.
_CONDITIONS = frozenset(
    {
        *("Filter", "Join Filter", "One-Time Filter", "Group Key"),
        *("Hash Cond", "Index Cond", "Merge Cond", "Recheck Cond", "TID Cond"),
        *("Function Call", "Table Function Call"),
    }
)
#: Nodes that make more or fewer rows of those below, without a condition.
_COUNTING = frozenset({"Aggregate", "Group", "ProjectSet", "Recursive Union", "SetOp", "Unique"})


def calls(plan: Plan) -> set[str]:
    """The names of all functions in `plan`."""
    return {
        name
        for node in _nodes(plan)
        for key, value in node.items()
        if key in _CONDITIONS or key == "Output"
        for name in _CALL.findall(_text(value))
    }


def volatile_query(names: Set[str]) -> sql.Composable:
    """A query for those of the functions called `names` that give chance values."""
    return sql.SQL(
        "SELECT proname::pg_catalog.text AS name FROM pg_catalog.pg_proc"
        " JOIN pg_catalog.pg_language AS spoken ON spoken.oid = prolang"
        " WHERE provolatile = 'v' AND lanname IN ('internal', 'c') AND proname IN ({})"
    ).format(sql.SQL(", ").join(map(sql.Literal, sorted(names))))


def gives_other_rows(plan: Plan, volatile: Set[str], *, below_choice: bool = False) -> bool:
    """Whether chance decides how many rows `plan` gives. `volatile` are the functions of chance."""
    if "Sampling Method" in plan and "Repeatable Seed" not in plan:
        return True
    chosen_here = any(key in plan for key in _CONDITIONS) or plan["Node Type"] in _COUNTING
    if any(_mentions(plan.get(key), volatile) for key in _CONDITIONS):
        return True
    if _mentions(plan.get("Output"), volatile) and (
        below_choice or plan["Node Type"] == "ProjectSet"
    ):
        return True
    return any(
        gives_other_rows(
            child,
            volatile,
            below_choice=below_choice
            or chosen_here
            # What is above these appears in expressions only.
            or child.get("Parent Relationship") in {"InitPlan", "SubPlan"},
        )
        for child in plan.get("Plans", ())
    )


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _mentions(value: Any, names: Set[str]) -> bool:
    return value is not None and not names.isdisjoint(_CALL.findall(_text(value)))


def _text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
