"""Compiling a query to SQL text and driver values, as SQLAlchemy does inside `execute`.

Done here, so that the statement can be handed to a driver whose rows come back as they are
stored: `execute` would send every value through the result side of its SQLAlchemy type.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.errors import SourceRejected, by_driver

Values = dict[str, Any] | tuple[Any, ...]


def compile_query(query: Query, dialect: sa.Dialect) -> tuple[str, Values]:
    """SQL with the driver's own placeholders, and the values in the form the driver wants.

    Lists are expanded, and each value goes through its type: an enum becomes its name, and
    a dict for a JSON column becomes JSON.

    Raises:
        SourceRejected: the query does not compile, or a value does not suit its type.
    """
    try:
        return _compile(query, dialect)
    except sa.exc.SQLAlchemyError as error:
        raise by_driver(error) from None
    except (LookupError, TypeError, ValueError):
        raise SourceRejected("A parameter has a value that its type does not allow.") from None


def _compile(query: Query, dialect: sa.Dialect) -> tuple[str, Values]:
    # The audit log says in which schema it is.
    names = query.get_execution_options().get("schema_translate_map")
    compiled = query.compile(
        dialect=dialect, schema_translate_map=names, render_schema_translate=bool(names)
    )
    if not isinstance(compiled, sa.sql.compiler.SQLCompiler):
        raise TypeError
    expanded = compiled.construct_expanded_state()
    processors = dict(expanded.processors)
    for parameter, name in compiled.bind_names.items():
        process = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            processors[compiled.escaped_bind_names.get(name, name)] = process
    values = {
        name: processors[name](value) if name in processors else value
        for name, value in expanded.parameters.items()
    }
    if expanded.positiontup is None:
        return expanded.statement, values
    return expanded.statement, tuple(values[name] for name in expanded.positiontup)
