"""CSV text: rows as RFC 4180 text, rendered column by column.

Text is quoted as the profile says, by default all of it: then no other delimiter splits a field.
With any quoting ``""`` is an empty string and nothing at all is NULL. NUL becomes U+FFFD, because
most readers stop there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl
import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.formula_guard import FIRST_BYTES, begins_formula
from waybill.exporter.formats.csv.local_times import is_timestamp, local_times, with_zone
from waybill.exporter.formats.csv.profiles import CsvProfile, Quoting
from waybill.exporter.formats.text_rows import (
    Counts,
    Rendered,
    changes_among,
    count_matches,
    join_rows,
)
from waybill.exporter.labels import count_renamed
from waybill.exporter.rows.marks import RecordCount, count_records
from waybill.exporter.values.cell_columns import CellColumn, ValueKind, cell_columns, cell_texts
from waybill.exporter.values.column_bytes import WORTHWHILE_ROWS, ColumnBytes, is_text
from waybill.exporter.values.declared_kinds import DeclaredKind
from waybill.exporter.values.declared_values import is_declared, is_not_finite
from waybill.exporter.values.long_texts import LongText, is_long, joined
from waybill.exporter.warning_rules import WarningRule

_RULES = (
    WarningRule.FORMULA_GUARDED,
    WarningRule.NUL_REPLACED,
    WarningRule.NULL_AS_EMPTY_TEXT,
    WarningRule.BINARY_AS_BASE64,
    WarningRule.TYPE_AS_TEXT,
    WarningRule.AMBIGUOUS_TIME_AS_TEXT,
)

#: Findings that need an escape, which readers undo: no warning.
_HAS_QUOTE = "has_quote"
_NEEDS_QUOTES = "needs_quotes"

#: Kinds whose text may hold a quote or a NUL; kinds whose text may begin like a formula
#: (Base64 may begin with "+"); and kinds that are always quoted.
_MARKED_KINDS = (ValueKind.DECIMAL_TEXT, ValueKind.DECLARED_TEXT)
_FREE_KINDS = (ValueKind.TEXT, ValueKind.JSON, *_MARKED_KINDS)
_GUARDED_KINDS = (ValueKind.TEXT, ValueKind.BYTES, *_MARKED_KINDS)
_QUOTED_KINDS = (ValueKind.TEXT, ValueKind.BYTES, ValueKind.JSON)
#: Kinds whose text has the decimal sign in it.
_NUMERIC_KINDS = (ValueKind.NUMBER, ValueKind.DECIMAL, ValueKind.DECIMAL_TEXT)

#: A text that RFC 4180 wants between quotes, or whose meaning is lost without them: readers
#: strip blanks at an end, and take an empty field for NULL.
_QUOTE_WORTHY = r'^$|["\r\n]|^\s|\s$'

#: JSON behind blanks. Its blanks may be line breaks, behind which other text would be suspect.
_JSON = r'^[ \t\r\n]*(?:["\[{tfn]|-?[0-9][-+.0-9eE]*[ \t\r\n]*$)'


#: In the place of a long text; nothing is found in it.
_STAND_IN = ("x",)

#: Neither a blank nor a part of a number.
_TELLING = re.compile(r"[^\W\d_eE]")


class CsvText:
    """Renders the rows of one schema. Methods may be called from several threads at once."""

    def __init__(
        self,
        schema: pa.Schema,
        layout: Layout,
        profile: CsvProfile,
        *,
        search_bytes_from: int = WORTHWHILE_ROWS,
    ) -> None:
        """Plan the columns of `schema`.

        Tables of `search_bytes_from` rows or more are searched by the bytes of their columns first.

        Raises:
            LimitExceeded: there are none.
        """
        if profile.local_times:
            layout = with_zone(schema, layout)
        self.columns = cell_columns(schema, layout)
        self._local_times = [
            column
            for column, field in zip(self.columns, schema, strict=True)
            if profile.local_times and is_timestamp(field) and not column.as_text
        ]
        # A moment of a marked column has no offset any more where it is written.
        self._written = tuple(
            replace(column, declared=DeclaredKind.TIMESTAMP)
            if column in self._local_times and column.declared is DeclaredKind.INSTANT
            else column
            for column in self.columns
        )
        self._requested_labels = [layout.label(name) for name in schema.names]
        self._zone = layout.timezone
        self._profile = profile
        self._search_bytes_from = search_bytes_from

    def header(self) -> Rendered:
        """The first line. Its labels are text like any other: quoted, guarded, counted."""
        headings = [replace(column, kind=ValueKind.TEXT, declared=None) for column in self.columns]
        labels = [column.label for column in self.columns]
        line = self._render(pl.DataFrame({item.key: [item.label] for item in headings}), headings)
        mark = "\ufeff" if self._profile.byte_order_mark else ""
        renamed = count_renamed(self._requested_labels, labels)
        return Rendered(0, mark.encode() + line.raw, line.warnings + renamed)

    def rows(self, table: pa.Table) -> Rendered:
        """Every row of `table`."""
        return self._render(*self._texts(table), self._absent(table))

    def _texts(self, table: pa.Table) -> tuple[pl.DataFrame, Sequence[CellColumn], Counts]:
        """The values as they are written, their columns, and the times that stay text."""
        frame, kept = cell_texts(table, self.columns, self._zone), Counts()
        for column in self._local_times:
            shown, twice = local_times(frame[column.key], self._zone)
            frame = frame.with_columns(shown.alias(column.key))
            if twice and column.declared is None:
                kept[column.key, WarningRule.AMBIGUOUS_TIME_AS_TEXT] = twice
        return frame, self._written, kept

    def _render(
        self,
        frame: pl.DataFrame,
        columns: Sequence[CellColumn],
        kept: Counts | None = None,
        absent: Collection[tuple[str, str]] = (),
    ) -> Rendered:
        """`absent` are those of `_tests` that no value passes."""
        tests = self._tests(columns).items()
        found = count_matches(frame, {name: test for name, test in tests if name not in absent})
        found += kept or Counts()
        cells = frame.select(self._cell(column, found).alias(column.key) for column in columns)
        warnings = changes_among(found, columns, _RULES)
        lines = join_rows(cells, self._profile.line_end, self._profile.delimiter)
        return Rendered(count_records(lines), lines, warnings)

    def _absent(self, table: pa.Table) -> set[tuple[str, str]]:
        """Which of `_tests` no value of `table` can pass, as the bytes of its columns say."""
        absent: set[tuple[str, str]] = set()
        if table.num_rows < self._search_bytes_from:
            return absent
        for column, values in zip(self.columns, table.columns, strict=True):
            if column.kind is not ValueKind.TEXT or not is_text(values.type):
                continue
            texts = ColumnBytes(values)
            if not texts.may_have(b'"'):
                absent.add((column.key, _HAS_QUOTE))
            if not texts.may_have(b"\0"):
                absent.add((column.key, WarningRule.NUL_REPLACED))
            if not texts.may_begin(FIRST_BYTES):
                absent.add((column.key, WarningRule.FORMULA_GUARDED))
        return absent

    def row_in_pieces(self, table: pa.Table) -> Iterator[Rendered]:
        """The one row of `table`, a few MiB at a time: the same bytes as `rows` has them."""
        long = {}
        for position, column in enumerate(self.columns):
            array = table.column(position).combine_chunks()
            if self._may_be_long(column) and is_long(array):
                text = LongText(array)
                if _says_all(text.start):
                    long[column.key] = text
                    table = table.set_column(
                        position, table.field(position), pa.array(_STAND_IN, array.type)
                    )
        frame, columns, kept = self._texts(table)
        found = count_matches(frame, self._tests(columns)) + kept
        for key, text in long.items():
            found += self._found_in(key, text)
        warnings = changes_among(found, self.columns, _RULES)
        records = RecordCount()
        for raw in joined(self._fields(frame, found, long)):
            yield Rendered(records.add(raw), raw, warnings)
            warnings = Counter()

    def _may_be_long(self, column: CellColumn) -> bool:
        """Whether values are plain texts that are always in quotes."""
        return column.kind is ValueKind.TEXT and self._profile.quoting is not Quoting.MINIMAL

    def _found_in(self, key: str, text: LongText) -> Counts:
        found = {
            (key, _HAS_QUOTE): text.has(b'"'),
            (key, WarningRule.NUL_REPLACED): text.has(b"\0"),
            (key, WarningRule.FORMULA_GUARDED): self._profile.guards_formulas
            and pl.select(begins_formula(pl.lit(text.start))).item(),
        }
        return Counter({name: 1 for name, is_there in found.items() if is_there})

    def _fields(
        self, frame: pl.DataFrame, found: Counts, long: Mapping[str, LongText]
    ) -> Iterator[bytes]:
        for position, column in enumerate(self._written):
            if position:
                yield self._profile.delimiter.encode()
            if column.key in long:
                yield from _quoted_pieces(long[column.key], column.key, found)
            else:
                cell = frame.select(self._cell(column, found)).item()
                yield ("" if cell is None else cell).encode()
        yield self._profile.line_end.encode()

    def _tests(self, columns: Sequence[CellColumn]) -> dict[tuple[str, str], pl.Expr]:
        """What to look for, once per batch, so that clean columns are left alone."""
        tests: dict[tuple[str, str], pl.Expr] = {}
        for column in columns:
            value = pl.col(column.key)
            if column.kind in _FREE_KINDS:
                tests[column.key, _HAS_QUOTE] = value.str.contains('"', literal=True)
                tests[column.key, WarningRule.NUL_REPLACED] = value.str.contains("\0", literal=True)
            if column.kind in _MARKED_KINDS:
                tests[column.key, WarningRule.TYPE_AS_TEXT] = _is_exception(column)
            if column.kind is ValueKind.BYTES:
                tests[column.key, WarningRule.BINARY_AS_BASE64] = value.is_not_null()
            if self._profile.guards_formulas and _may_be_formula(column):
                tests[column.key, WarningRule.FORMULA_GUARDED] = _is_suspect(column)
            if self._profile.quoting is Quoting.MINIMAL and column.kind in _QUOTED_KINDS:
                tests[column.key, _NEEDS_QUOTES] = self._needs_quotes(value)
        if len(columns) == 1:
            # A line with nothing on it is no row at all to most readers.
            tests[columns[0].key, WarningRule.NULL_AS_EMPTY_TEXT] = pl.col(columns[0].key).is_null()
        return tests

    def _cell(self, column: CellColumn, found: Counts) -> pl.Expr:
        """The field as it stands between two delimiters; null where it is empty."""
        plain = self._numeral(column)
        quoted = pl.concat_str(pl.lit('"'), self._escaped(column, plain, found), pl.lit('"'))
        if self._profile.quoting is Quoting.ALL:
            value = quoted
        elif self._profile.quoting is Quoting.MINIMAL:
            value = self._sparingly_quoted(column, plain, quoted, found)
        elif column.kind in _QUOTED_KINDS or column.as_text:
            value = quoted
        elif found[column.key, WarningRule.TYPE_AS_TEXT]:
            value = pl.when(_is_exception(column)).then(quoted).otherwise(plain)
        else:
            value = plain
        return value.fill_null('""') if found[column.key, WarningRule.NULL_AS_EMPTY_TEXT] else value

    def _sparingly_quoted(
        self, column: CellColumn, plain: pl.Expr, quoted: pl.Expr, found: Counts
    ) -> pl.Expr:
        if found[column.key, WarningRule.TYPE_AS_TEXT]:
            return pl.when(_is_exception(column)).then(quoted).otherwise(plain)
        if found[column.key, _NEEDS_QUOTES]:
            needed = self._needs_quotes(pl.col(column.key))
            return pl.when(needed).then(quoted).otherwise(self._escaped(column, plain, found))
        return self._escaped(column, plain, found)

    def _needs_quotes(self, text: pl.Expr) -> pl.Expr:
        has_delimiter = text.str.contains(self._profile.delimiter, literal=True)
        return has_delimiter | text.str.contains(_QUOTE_WORTHY)

    def _numeral(self, column: CellColumn) -> pl.Expr:
        """The value, with the profile's decimal sign where it is a number."""
        value = pl.col(column.key)
        if self._profile.decimal_sign == "." or column.kind not in _NUMERIC_KINDS:
            return value
        numeral = value.str.replace(".", self._profile.decimal_sign, literal=True)
        if column.kind is not ValueKind.DECIMAL_TEXT:
            return numeral
        return pl.when(_is_exception(column)).then(value).otherwise(numeral)

    def _escaped(self, column: CellColumn, text: pl.Expr, found: Counts) -> pl.Expr:
        """The value as it stands between two quotes."""
        if found[column.key, WarningRule.NUL_REPLACED]:
            text = text.str.replace_all("\0", "\ufffd", literal=True)
        if found[column.key, _HAS_QUOTE]:
            text = text.str.replace_all('"', '""', literal=True)
        if found[column.key, WarningRule.FORMULA_GUARDED]:
            apostrophe = pl.when(_is_suspect(column)).then(pl.lit("'")).otherwise(pl.lit(""))
            text = pl.concat_str(apostrophe, text)
        return text


def _quoted_pieces(text: LongText, key: str, found: Counts) -> Iterator[bytes]:
    """What `CsvText._cell` makes of a text, of which `found` tells all."""
    yield b"\"'" if found[key, WarningRule.FORMULA_GUARDED] else b'"'
    for piece in text.pieces():
        if found[key, WarningRule.NUL_REPLACED]:
            piece = piece.replace(b"\0", "\ufffd".encode())
        yield piece.replace(b'"', b'""') if found[key, _HAS_QUOTE] else piece
    yield b'"'


def _says_all(start: str) -> bool:
    """Whether what a text begins with tells if a spreadsheet might run it, however it goes on."""
    return _TELLING.search(start) is not None


def _is_exception(column: CellColumn) -> pl.Expr:
    """Whether a value of a marked column is other than what the column was declared as."""
    value = pl.col(column.key)
    if column.declared is None:
        raise ValueError(f"column {column.name} is not marked")
    declared = is_declared(value, column.declared)
    if column.kind is ValueKind.DECIMAL_TEXT:
        declared |= is_not_finite(value)
    return ~declared


def _may_be_formula(column: CellColumn) -> bool:
    # Nested values become JSON text here; a column of JSON text may hold anything in SQLite.
    return column.kind in _GUARDED_KINDS or column.declared is DeclaredKind.JSON


def _is_suspect(column: CellColumn) -> pl.Expr:
    """Whether a spreadsheet might run the value; what a column was declared as, it never runs."""
    value = pl.col(column.key)
    suspect = begins_formula(value)
    if column.kind in _MARKED_KINDS:
        suspect &= _is_exception(column)
    elif column.declared is DeclaredKind.JSON:
        suspect &= ~value.str.contains(_JSON)
    return suspect
