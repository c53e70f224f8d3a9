"""Limits of a workbook: those Excel publishes, and the margins we keep to them.

Excel's own numbers are from "Excel specifications and limits" (support.microsoft.com).
"""

from __future__ import annotations

import pyarrow as pa

from waybill.exporter.errors import LimitExceeded

#: Rows below the header of one sheet: 1,048,576 in all.
MAX_DATA_ROWS = 1_048_575
MAX_COLUMNS = 16_384
#: Rows of one workbook in an archive: one full sheet.
WORKBOOK_PART_ROWS = MAX_DATA_ROWS
#: Longest text of one cell, in UTF-16 code units.
MAX_TEXT_UNITS = 32_767
#: Longest name of a sheet, in UTF-16 code units.
MAX_NAME_UNITS = 31
#: Digits that survive Excel's arithmetic; a longer number stays exact only as text.
MAX_DIGITS = 15

#: A sheet is ended when its XML has grown to this. From 4 GiB on its zip entry would need
#: ZIP64, which makes Excel "repair" the file (C36). The rest is room for the blocks that are
#: placed before its length is known: 17 of 40 MB, if every letter of their text is escaped.
MAX_SHEET_BYTES = 3 << 30

#: Excel's own limit is memory. A design of 1,000 sheets of 20 columns takes 0.5 s. (Measured.)
MAX_SHEETS = 1_000

#: Rows rendered at once. Half of it took 20 % more time; twice as much took 40 MiB more memory
#: and no less time. (Measured, ten columns on two threads.)
BLOCK_ROWS = 8_192
#: The same bound for wide tables: two threads stay below 100 MiB at any width. (Measured.)
BLOCK_CELLS = 20 * BLOCK_ROWS
#: The same bound for long values, in bytes of Arrow data.
BLOCK_BYTES = 4 << 20

#: Compressed bytes of sheets that wait for their turn, when rows are split by a column.
MAX_HELD_BYTES = 64 << 20


def check_columns(schema: pa.Schema) -> None:
    """Refuse a table no sheet can hold.

    Raises:
        LimitExceeded: there are no columns, or more than 16,384.
    """
    if not schema.names:
        raise LimitExceeded("A table without columns cannot be exported.")
    if len(schema.names) > MAX_COLUMNS:
        raise LimitExceeded(
            f"An XLSX sheet holds {MAX_COLUMNS:,} columns; this table has {len(schema.names):,}."
        )
