"""Reads templates with openpyxl, which is the extra ``waybill-exports[template]``."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from waybill.exporter.datasets.template import Template, TemplateCell

try:
    from openpyxl import load_workbook
    from openpyxl.utils import column_index_from_string
    from openpyxl.utils.exceptions import InvalidFileException
except ModuleNotFoundError as error:
    raise ValueError(
        'A dataset with `template` needs openpyxl: pip install "waybill-exports[template]".'
    ) from error

from waybill.exporter.datasets.template_looks import Looks
from waybill.exporter.datasets.template_pictures import pictures_of

#: All of its rows stay on the screen while the data scrolls.
MAX_TEMPLATE_ROWS = 100
_MAX_TEMPLATE_COLUMNS = 1_000
_MAX_TEMPLATE_BYTES = 10 << 20


def read_template(path: Path) -> Template:
    """The first sheet of the workbook at `path`.

    Raises:
        ValueError: it is no XLSX file, holds formulas or nothing, or is too large.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"The template {path} cannot be read: {error.strerror}.") from None
    if len(raw) > _MAX_TEMPLATE_BYTES:
        raise ValueError(f"The template {path} has more than {_MAX_TEMPLATE_BYTES >> 20} MiB.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as package:
            book = load_workbook(io.BytesIO(raw))
            pictures = tuple(pictures_of(package))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ParseError, TypeError) as error:
        raise ValueError(f"The template {path} is no XLSX workbook: {error}.") from error
    except ValueError as error:
        raise ValueError(f"The template {path} cannot be used: {error}") from error
    if not book.worksheets:
        raise ValueError(f"The template {path} has no sheet with cells.")
    sheet = book.worksheets[0]
    cells = tuple(_cells(path, sheet, Looks(book.loaded_theme)))
    merged = tuple(
        (area.min_row - 1, area.min_col - 1, area.max_row - 1, area.max_col - 1)
        for area in sheet.merged_cells.ranges
    )
    rows = max(
        [cell.row + 1 for cell in cells]
        + [area[2] + 1 for area in merged]
        + [last for _, last in pictures],
        default=0,
    )
    if not rows:
        raise ValueError(f"The first sheet of the template {path} is empty.")
    if rows > MAX_TEMPLATE_ROWS:
        raise ValueError(
            f"The first sheet of the template {path} has {rows} rows. It may have"
            f" {MAX_TEMPLATE_ROWS}, since they stay on the screen while the data scrolls."
        )
    return Template(
        rows=rows,
        cells=cells,
        merged=merged,
        heights={
            number - 1: row.height
            for number, row in sheet.row_dimensions.items()
            if row.height is not None and number <= rows
        },
        widths=dict(_widths(sheet)),
        pictures=tuple(picture for picture, _ in pictures),
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _cells(path: Path, sheet: Any, looks: Looks) -> Iterator[TemplateCell]:
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value is None and not cell.has_style:
                continue
            if cell.data_type == "f":
                raise ValueError(
                    f"The template {path} has a formula in {cell.coordinate}: put its value there,"
                    " or write the formula in `decorate`."
                )
            if cell.column > _MAX_TEMPLATE_COLUMNS:
                raise ValueError(f"The template {path} has too many columns: {cell.coordinate}.")
            yield TemplateCell(cell.row - 1, cell.column - 1, cell.value, looks.of(cell))


def _widths(sheet: Any) -> Iterator[tuple[int, float]]:
    """Neighbours of one width are one entry in the file."""
    for letters, column in sheet.column_dimensions.items():
        if column.customWidth:
            first = column.min or column_index_from_string(letters)
            last = min(column.max or first, _MAX_TEMPLATE_COLUMNS)
            for number in range(first, last + 1):
                yield number - 1, column.width
