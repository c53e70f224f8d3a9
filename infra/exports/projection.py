"""The chosen columns and the chosen order of a dataset's query, as a query around it.

The dataset's own query becomes a subquery, so conditions, groups and limits in it keep their
meaning, and the database reads no column that nobody chose. Names are SQLAlchemy columns and never
SQL text. The rows keep the dataset's own order, after what the request sorts by; its terms that no
column has are carried along as columns that the file does not get. NULL comes last in either
direction, on every database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    TextClause,
    UnaryExpression,
    _anonymous_label,
    _label_reference,
    _textual_label_reference,
)

from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.errors import InvalidRequest

_ROWS = "waybill_choice"
_ORDER = "waybill_order"
_MODIFIERS: Mapping[Any, Callable[[Any], Column]] = {
    operators.asc_op: sa.asc,
    operators.desc_op: sa.desc,
    operators.nulls_first_op: sa.nulls_first,
    operators.nulls_last_op: sa.nulls_last,
}

Column = sa.ColumnElement[Any]


def column_names(query: Query) -> list[str]:
    """The names of the columns of `query` that a request can choose, in their order.

    A computed column without a label has no name before the database gives it one. The text of an
    operator has none.
    """
    return list(named_columns(query))


def named_columns(query: Query) -> dict[str, Column]:
    """The columns of those names, with their types."""
    return _by_name(query.subquery(_ROWS).c) if isinstance(query, sa.Select) else {}


def first_rows(query: Query, most: int) -> Query:
    """`query` with no more than `most` rows, in its order; text stays as it is."""
    if not isinstance(query, sa.Select):
        return query
    if all(limit is None for limit in _limits(query)):
        return query.limit(most)
    rows, order, width = _with_order(query)
    options = query.get_execution_options()
    limited = sa.select(*list(rows.c)[:width]).order_by(*order).limit(most)
    return limited.execution_options(**options)


def projected(
    query: Query,
    columns: Sequence[ColumnChoice],
    sort: Sequence[SortKey],
    *,
    sheet_by: str | None = None,
    hidden: Set[str] = frozenset(),
    masked: Set[str] = frozenset(),
) -> Query:
    """`query` with only `columns`, or all if none are given, and sorted by `sort` first.

    With `sheet_by`, rows that are sorted anew stay together by that column. The caller knows of no
    `hidden` column: none is read. The order of a `masked` one would tell its values.

    Raises:
        InvalidRequest: there is no such column, it is masked, or the query is text.
    """
    if not columns and not sort and hidden.isdisjoint(column_names(query)):
        return query
    if not isinstance(query, sa.Select):
        if not columns and not sort:
            return query
        field = "columns" if columns else "sort"
        raise InvalidRequest(
            "This export is a query in SQL: write its columns and its order into it.", field=field
        )
    rows, own_order, width = _with_order(query)
    named = _by_name(list(rows.c)[:width])
    known = {name: column for name, column in named.items() if name not in hidden}
    chosen = [
        _found(known, choice.name, f"columns/{at}/name") for at, choice in enumerate(columns)
    ] or [column for column in list(rows.c)[:width] if column.name not in hidden]
    for at, key in enumerate(sort):
        _found(known, key.column, f"sort/{at}/column")
        if key.column in masked:
            raise InvalidRequest(
                f"You see {key.column!r} masked, so it cannot be sorted by.",
                field=f"sort/{at}/column",
            )
    keys = _sheets_together(sort, sheet_by, known)
    order = [term for key in keys for term in _terms(known[key.column], key)]
    # The schema of the task tables is an option of the query.
    options = query.get_execution_options()
    return sa.select(*chosen).order_by(*order, *own_order).execution_options(**options)


def _sheets_together(
    sort: Sequence[SortKey], sheet_by: str | None, known: Mapping[str, Column]
) -> Sequence[SortKey]:
    if not sort or sheet_by is None or sheet_by not in known:
        return sort
    own = [key for key in sort if key.column == sheet_by]
    rest = [key for key in sort if key.column != sheet_by]
    return [*(own or [SortKey(column=sheet_by)]), *rest]


def _terms(column: Column, key: SortKey) -> tuple[Column, Column]:
    # MySQL knows no NULLS LAST.
    is_null = sa.case((column.is_(None), sa.literal_column("1")), else_=sa.literal_column("0"))
    return is_null, column.desc() if key.descending else column.asc()


def _found(known: Mapping[str, Column], name: str, field: str) -> Column:
    if name in known:
        return known[name]
    raise InvalidRequest(no_such_column(name, list(known)), field=field)


def no_such_column(name: str, known: Sequence[str]) -> str:
    """The sentence about a `name` that none of the columns has, with the one most like it."""
    folded = {item.lower(): item for item in known}
    alike = get_close_matches(name.lower()[:60], folded, n=1, cutoff=0.6)
    remedy = f"Did you mean {folded[alike[0]]!r}?" if alike else f"There are: {', '.join(known)}."
    return f"There is no column {name[:60]!r}. {remedy}"


def _by_name(columns: Any) -> dict[str, Column]:
    return {
        str(column.name): column
        for column in columns
        if not isinstance(column.name, _anonymous_label)
    }


def _with_order(query: sa.Select[Any]) -> tuple[sa.Subquery, list[Column], int]:
    """`query` as a subquery, the terms of its own order outside of it, and its number of columns.

    Raises:
        InvalidRequest: its order cannot be told outside of it.
    """
    width = len(query.selected_columns)
    terms = [_unwrapped(clause, query) for clause in query._order_by_clauses]
    if any(isinstance(core, TextClause) for core, _ in terms):
        if query._distinct:
            raise InvalidRequest(
                "Columns and order of this dataset cannot be chosen: it sorts by SQL text.",
                field="columns",
            )
        position = sa.func.row_number().over(order_by=query._order_by_clauses).label(_ORDER)
        rows = query.add_columns(position).subquery(_ROWS)
        return rows, [list(rows.c)[width]], width
    extra = [core for core, _ in terms if query.selected_columns.corresponding_column(core) is None]
    if extra and query._distinct and not query._distinct_on:
        raise InvalidRequest(
            "Columns and order of this dataset cannot be chosen: it sorts distinct rows by what"
            " they do not have.",
            field="columns",
        )
    inner = query.add_columns(*(core.label(f"{_ORDER}_{n}") for n, core in enumerate(extra)))
    if not query._distinct_on and all(limit is None for limit in _limits(query)):
        inner = inner.order_by(None)
    rows = inner.subquery(_ROWS)
    carried = dict(zip(map(id, extra), list(rows.c)[width:], strict=True))
    outside: list[Column] = []
    for core, modifiers in terms:
        place: Any = carried.get(id(core))
        if place is None:
            place = rows.corresponding_column(core)
        for modifier in reversed(modifiers):
            place = _MODIFIERS[modifier](place)
        outside.append(place)
    return rows, outside, width


def _limits(query: sa.Select[Any]) -> tuple[Any, ...]:
    return query._limit_clause, query._offset_clause, query._fetch_clause


def _unwrapped(clause: Any, query: sa.Select[Any]) -> tuple[Any, list[Any]]:
    """What `clause` of an ORDER BY sorts by, and its ASC, DESC and NULLS, the outermost first."""
    modifiers: list[Any] = []
    while True:
        if isinstance(clause, _label_reference):
            clause = clause.element
        elif isinstance(clause, _textual_label_reference):
            named = {str(column.name): column for column in query.selected_columns}
            found = named.get(clause.element)
            return (sa.text(clause.element) if found is None else found), modifiers
        elif isinstance(clause, UnaryExpression) and clause.modifier in _MODIFIERS:
            modifiers.append(clause.modifier)
            clause = clause.element
        else:
            return clause, modifiers
