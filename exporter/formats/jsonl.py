"""The ``jsonl.gz`` format: gzipped JSON lines, one object per row with all keys, exact values.

Numbers are JSON numbers with the digits that the database prints: exact as text, but a reader
that keeps numbers as doubles (JavaScript, pandas) rounds what has more than 15 digits, so give
such columns ``as_text``. JSON is embedded as it is, and lists and structs are arrays and
objects. Dates (ISO 8601), bytes (base64), NaN and Infinity are strings. SQL's NULL and JSON's
own are both ``null``. Keys are the columns' own names, not their labels, unless a request renames
them.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa

from waybill.exporter.blocks.block import Block
from waybill.exporter.blocks.gzip_stream import gzip_file
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.gzip_shards import GzipShards
from waybill.exporter.formats.text_rows import (
    Counts,
    Rendered,
    blocks_of,
    changes_among,
    count_matches,
    join_rows,
)
from waybill.exporter.labels import count_renamed
from waybill.exporter.rows.marks import count_marks
from waybill.exporter.values.cell_columns import CellColumn, ValueKind, cell_columns, cell_texts
from waybill.exporter.values.declared_kinds import DeclaredKind
from waybill.exporter.values.declared_values import invalid_json, is_declared, is_not_finite
from waybill.exporter.warning_rules import WarningRule

_RULES = (
    WarningRule.NOT_FINITE_AS_TEXT,
    WarningRule.BINARY_AS_BASE64,
    WarningRule.TYPE_AS_TEXT,
)

#: Findings that need an escape, which readers undo: no warning.
_NEEDS_ESCAPE = "needs_escape"
_HAS_LINE_BREAK = "has_line_break"

#: Kinds whose text may hold what has to be escaped.
_STRINGS = (ValueKind.TEXT, ValueKind.DECIMAL_TEXT, ValueKind.DECLARED_TEXT)
#: Columns of text with a JSON form of their own.
_BARE = (
    DeclaredKind.INTEGER,
    DeclaredKind.DECIMAL,
    DeclaredKind.FLOAT,
    DeclaredKind.BOOLEAN,
)

#: What RFC 8259 §7 does not allow inside a string as it is, and how it is written instead.
_ESCAPED = ['"', "\\", *map(chr, range(0x20))]
_ESCAPES = [json.dumps(character)[1:-1] for character in _ESCAPED]
_ESCAPED_PATTERN = r'["\\\x00-\x1f]'

#: In JSON text from elsewhere. Between two tokens it is a blank; inside one it cannot be.
_LINE_BREAK = r"[\r\n]"


def encode_jsonl_gzip(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
) -> Generator[bytes, None, None]:
    """The encoder of gzipped JSON lines."""
    tally.file = yield from gzip_file(_blocks(schema, batches, layout, tally))


def jsonl_gzip_shards() -> GzipShards:
    """The same in shards."""
    return GzipShards(_blocks)


def _blocks(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    tally: Tally,
    is_first: bool = True,
) -> Iterator[Block]:
    columns = cell_columns(schema, layout)
    if is_first:
        # Counted once for the whole file.
        tally.warnings.update(count_renamed(schema.names, [column.name for column in columns]))

    def render(table: pa.Table) -> Rendered:
        return _render(_with_json(cell_texts(table, columns, layout.timezone), columns), columns)

    return blocks_of(None, render, batches, len(columns), tally)


def _render(frame: pl.DataFrame, columns: Sequence[CellColumn]) -> Rendered:
    found = count_matches(frame, _tests(columns))
    members = [_member(column, found) for column in columns]
    members[0] = pl.concat_str(pl.lit("{"), members[0])
    members[-1] = pl.concat_str(members[-1], pl.lit("}"))
    cells = frame.select(
        member.alias(column.key) for member, column in zip(members, columns, strict=True)
    )
    warnings = changes_among(found, columns, _RULES)
    lines = join_rows(cells, "\n")
    # No value has a line feed of its own: it is escaped in text, and blank in other JSON.
    return Rendered(count_marks(lines, b"\n"), lines, warnings)


def _with_json(frame: pl.DataFrame, columns: Sequence[CellColumn]) -> pl.DataFrame:
    """`frame` with a mark beside each column of JSON text: whether a value is none after all."""
    return frame.with_columns(
        invalid_json(frame[column.key]).alias(_mark(column))
        for column in columns
        if column.declared is DeclaredKind.JSON
    )


def _mark(column: CellColumn) -> str:
    return f"{column.key} is no JSON"


def _tests(columns: Sequence[CellColumn]) -> dict[tuple[str, str], pl.Expr]:
    tests: dict[tuple[str, str], pl.Expr] = {}
    for column in columns:
        value = pl.col(column.key)
        if column.kind in _STRINGS:
            tests[column.key, _NEEDS_ESCAPE] = value.str.contains(_ESCAPED_PATTERN)
        if column.kind is ValueKind.NUMBER and not column.as_text:
            tests[column.key, WarningRule.NOT_FINITE_AS_TEXT] = _is_not_finite(value)
        elif column.kind is ValueKind.DECIMAL_TEXT and column.declared and not column.as_text:
            not_finite = is_not_finite(value)
            tests[column.key, WarningRule.NOT_FINITE_AS_TEXT] = not_finite
            tests[column.key, WarningRule.TYPE_AS_TEXT] = ~(
                is_declared(value, column.declared) | not_finite
            )
        elif column.kind is ValueKind.DECLARED_TEXT and column.declared:
            tests[column.key, WarningRule.TYPE_AS_TEXT] = ~is_declared(value, column.declared)
        elif column.kind is ValueKind.BYTES:
            tests[column.key, WarningRule.BINARY_AS_BASE64] = value.is_not_null()
        elif column.declared is DeclaredKind.JSON:
            tests[column.key, WarningRule.TYPE_AS_TEXT] = pl.col(_mark(column))
        if column.kind is ValueKind.JSON:
            tests[column.key, _HAS_LINE_BREAK] = value.str.contains(_LINE_BREAK)
    return tests


def _member(column: CellColumn, found: Counts) -> pl.Expr:
    """One key and its value, as they stand between two commas."""
    key = json.dumps(column.json_key, ensure_ascii=False) + ":"
    value = pl.col(column.key)
    string = value.str.replace_many(_ESCAPED, _ESCAPES) if _has_escapes(column, found) else value
    if found[column.key, _HAS_LINE_BREAK]:
        value = value.str.replace_all(_LINE_BREAK, " ")
    if (is_string := _is_string(column, found)) is True:
        member = pl.concat_str(pl.lit(f'{key}"'), string, pl.lit('"'))
        return member.fill_null(f"{key}null")
    if is_string is not False:
        quoted = pl.concat_str(pl.lit('"'), string, pl.lit('"'))
        value = pl.when(is_string).then(quoted).otherwise(value)
    return pl.concat_str(pl.lit(key), value).fill_null(f"{key}null")


def _has_escapes(column: CellColumn, found: Counts) -> bool:
    invalid = column.kind is ValueKind.JSON and found[column.key, WarningRule.TYPE_AS_TEXT]
    return bool(found[column.key, _NEEDS_ESCAPE] or invalid)


def _is_string(column: CellColumn, found: Counts) -> pl.Expr | bool:
    """Which values are JSON strings: all, none, or those for which the expression is true."""
    value = pl.col(column.key)
    exceptions = found[column.key, WarningRule.TYPE_AS_TEXT]
    not_finite = found[column.key, WarningRule.NOT_FINITE_AS_TEXT]
    if column.kind is ValueKind.JSON:
        return pl.col(_mark(column)) if exceptions else False
    if column.as_text:
        return True
    if column.kind is ValueKind.NUMBER:
        return _is_not_finite(value) if not_finite else False
    if column.kind in (ValueKind.DECIMAL, ValueKind.BOOLEAN):
        return False
    if column.declared in _BARE:
        return ~is_declared(value, column.declared) if exceptions or not_finite else False
    return True


def _is_not_finite(number: pl.Expr) -> pl.Expr:
    """Whether the text of a number is NaN, Infinity or -Infinity."""
    return number.str.contains("[Ny]")
