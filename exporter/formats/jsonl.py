"""The ``jsonl.gz`` format: gzipped JSON lines, one object per row with all keys, exact values.

Integers are JSON numbers of any length: exact as text, but a reader that keeps numbers as
doubles (JavaScript) rounds them past 2^53, so give such columns ``as_text``. Decimals,
dates (ISO 8601), bytes (base64), NaN and Infinity are strings. Keys are the columns' own
names, not their labels.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence

import polars as pl
import pyarrow as pa

from waybill.exporter.blocks.gzip_stream import gzip_file
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
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
from waybill.exporter.warning_rules import WarningRule

_RULES = (WarningRule.NOT_FINITE_AS_TEXT, WarningRule.BINARY_AS_BASE64)

#: Findings that need an escape, which readers undo: no warning.
_NEEDS_ESCAPE = "needs_escape"
_HAS_LINE_BREAK = "has_line_break"

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
    columns = cell_columns(schema, layout)
    tally.warnings.update(count_renamed(schema.names, [column.name for column in columns]))

    def render(table: pa.Table) -> Rendered:
        return _render(cell_texts(table, columns, layout.timezone), columns)

    tally.file = yield from gzip_file(blocks_of(None, render, batches, tally))


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


def _tests(columns: Sequence[CellColumn]) -> dict[tuple[str, str], pl.Expr]:
    tests: dict[tuple[str, str], pl.Expr] = {}
    for column in columns:
        value = pl.col(column.key)
        if column.kind in (ValueKind.TEXT, ValueKind.DECIMAL_TEXT):
            tests[column.key, _NEEDS_ESCAPE] = value.str.contains(_ESCAPED_PATTERN)
        elif column.kind is ValueKind.NUMBER and not column.as_text:
            tests[column.key, WarningRule.NOT_FINITE_AS_TEXT] = _is_not_finite(value)
        elif column.kind is ValueKind.BYTES:
            tests[column.key, WarningRule.BINARY_AS_BASE64] = value.is_not_null()
        elif column.kind is ValueKind.JSON:
            tests[column.key, _HAS_LINE_BREAK] = value.str.contains(_LINE_BREAK)
    return tests


def _member(column: CellColumn, found: Counts) -> pl.Expr:
    """One key and its value, as they stand between two commas."""
    key = json.dumps(column.name, ensure_ascii=False) + ":"
    value = pl.col(column.key)
    if found[column.key, _NEEDS_ESCAPE]:
        value = value.str.replace_many(_ESCAPED, _ESCAPES)
    if found[column.key, _HAS_LINE_BREAK]:
        value = value.str.replace_all(_LINE_BREAK, " ")
    bare = column.kind in (ValueKind.NUMBER, ValueKind.BOOLEAN) and not column.as_text
    if found[column.key, WarningRule.NOT_FINITE_AS_TEXT]:
        mark = pl.when(_is_not_finite(value)).then(pl.lit('"')).otherwise(pl.lit(""))
        member = pl.concat_str(pl.lit(key), mark, value, mark)
    elif bare or column.kind is ValueKind.JSON:
        member = pl.concat_str(pl.lit(key), value)
    else:
        member = pl.concat_str(pl.lit(f'{key}"'), value, pl.lit('"'))
    return member.fill_null(f"{key}null")


def _is_not_finite(number: pl.Expr) -> pl.Expr:
    """Whether the text of a number is NaN, Infinity or -Infinity."""
    return number.str.contains("[Ny]")
