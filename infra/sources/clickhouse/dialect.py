"""ClickHouse's SQL for SQLAlchemy, with values that the server binds: ``{p1:Int64}``.

The type of a value is that of the value: what SQLAlchemy's type makes of it has been done by then.
A value is sent beside the query and never becomes part of its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import (
    GenericTypeCompiler,
    IdentifierPreparer,
    SQLCompiler,
)

#: How a value is marked until its type is known. No operator's text goes through this dialect with
#: values in it.
_MARK = "{waybill:%(name)s}"
_MARKED = re.compile(r"\{waybill:([^}]+)\}")

#: The most digits behind the point of a Decimal256. (ClickHouse, "Decimal".)
_MAX_DIGITS = 76


class _Quoted(IdentifierPreparer):
    """Every name in quotes: ClickHouse's reserved words are not SQL's."""

    def _requires_quotes(self, value: str) -> bool:
        return True

    def _escape_identifier(self, value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')


class _Compiler(SQLCompiler):
    def __setattr__(self, name: str, value: Any) -> None:
        """SQLAlchemy sets these by the styles of PEP 249, and this is none of them."""
        is_template = name in {"bindtemplate", "compilation_bindtemplate"}
        super().__setattr__(name, _MARK if is_template else value)

    def visit_cast(self, cast: sa.Cast[Any], **kw: Any) -> str:
        """A null stays one: types hold none unless they say so."""
        kind = self.dialect.type_compiler_instance.process(cast.type)
        return f"CAST({self.process(cast.clause, **kw)} AS Nullable({kind}))"


class _Types(GenericTypeCompiler):
    """Types of ClickHouse for those of SQLAlchemy, where it has no alias for the SQL name."""

    def visit_DATETIME(self, type_: sa.DateTime, **kw: Any) -> str:
        return "DateTime64(6, 'UTC')"

    visit_TIMESTAMP = visit_DATETIME

    def visit_DATE(self, type_: sa.Date, **kw: Any) -> str:
        return "Date32"

    def visit_TIME(self, type_: sa.Time, **kw: Any) -> str:
        return "Time64(6)"

    def visit_VARCHAR(self, type_: sa.String, **kw: Any) -> str:
        return "String"

    visit_CHAR = visit_TEXT = visit_CLOB = visit_NVARCHAR = visit_VARCHAR
    visit_JSON = visit_unicode = visit_VARCHAR

    def visit_BLOB(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return "String"

    def visit_NUMERIC(self, type_: sa.Numeric[Any], **kw: Any) -> str:
        return f"Decimal({type_.precision or _MAX_DIGITS}, {type_.scale or 0})"

    def visit_BOOLEAN(self, type_: sa.Boolean, **kw: Any) -> str:
        return "Bool"

    def visit_INTEGER(self, type_: sa.Integer, **kw: Any) -> str:
        return "Int64"

    visit_BIGINT = visit_SMALLINT = visit_INTEGER

    def visit_FLOAT(self, type_: sa.Float[Any], **kw: Any) -> str:
        return "Float64"

    visit_DOUBLE = visit_REAL = visit_DOUBLE_PRECISION = visit_FLOAT

    def visit_UUID(self, type_: sa.Uuid[Any], **kw: Any) -> str:
        return "UUID"


class _Bytes(sa.LargeBinary):
    """Bytes as they are."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        """None is needed."""


class ClickhouseDialect(DefaultDialect):
    """Writes ClickHouse's SQL. Reads no catalog: a table is named as it is."""

    name = "clickhouse"
    default_paramstyle = "named"
    statement_compiler = _Compiler
    type_compiler_cls = _Types
    preparer = _Quoted
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    colspecs = {sa.LargeBinary: _Bytes}  # noqa: RUF012 - read only


def with_types(text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, str | bytes]]:
    """The query as the server takes it, and its values by their names in it.

    Raises:
        ValueError: a value that ClickHouse has no type for.
    """
    given: dict[str, str | bytes] = {}

    def placeholder(found: re.Match[str]) -> str:
        value = values[found[1]]
        if value is None:
            return "NULL"
        kind, sent = _typed(value)
        name = f"waybill_{len(given)}"
        given[name] = sent
        return f"{{{name}:{kind}}}"

    return _MARKED.sub(placeholder, text), given


def _typed(value: Any) -> tuple[str, str | bytes]:  # noqa: C901 - one case for each type
    """ClickHouse's type for a value, and its text in that type."""
    match value:
        case bool():
            return "Bool", str(value).lower()
        case int():
            return ("Int64" if -(2**63) <= value < 2**63 else "Int256"), str(value)
        case float():
            return "Float64", repr(value)
        case Decimal():
            exponent = value.as_tuple().exponent
            if not isinstance(exponent, int) or -exponent > _MAX_DIGITS:
                raise ValueError
            return f"Decimal({_MAX_DIGITS}, {max(-exponent, 0)})", format(value, "f")
        case datetime():
            # ClickHouse has instants only. One without a zone is shown, and meant, in UTC.
            moment = value.astimezone(UTC) if value.tzinfo else value
            return "DateTime64(6, 'UTC')", moment.strftime("%Y-%m-%d %H:%M:%S.%f")
        case date():
            return "Date32", value.isoformat()
        case UUID():
            return "UUID", str(value)
        case str() | bytes():
            return "String", value
        case dict() | list():
            return "String", json.dumps(value, ensure_ascii=False)
    return "String", str(value)
