"""Pictures of templates, as they are in the file: openpyxl itself needs Pillow to keep them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.xml.functions import fromstring

from waybill.exporter.datasets.template import TemplatePicture

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_WORKBOOK = "xl/workbook.xml"
#: English Metric Units in a pixel.
_PIXEL = 9_525
#: How PNG, JPEG, GIF and BMP begin: what XlsxWriter writes and every reader shows.
_SIGNATURES = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM")


def pictures_of(package: zipfile.ZipFile) -> Iterator[tuple[TemplatePicture, int]]:
    """The pictures on the first sheet, each with the number of rows that it reaches down to.

    Raises:
        ValueError: a picture is neither PNG, JPEG, GIF nor BMP.
    """
    for path in _drawings(package):
        drawing = SpreadsheetDrawing.from_tree(fromstring(package.read(path)))
        targets = _targets(package, path)
        for anchor in (*drawing.oneCellAnchor, *drawing.twoCellAnchor, *drawing.absoluteAnchor):
            if anchor.pic is not None and (name := anchor.pic.blipFill.blip.embed) in targets:
                yield _picture(anchor, package.read(targets[name]))


def _drawings(package: zipfile.ZipFile) -> Iterator[str]:
    parts = _targets(package, _WORKBOOK)
    sheets = fromstring(package.read(_WORKBOOK)).iter(f"{_MAIN}sheet")
    found = [parts[sheet.get(_RELATION)] for sheet in sheets if sheet.get(_RELATION) in parts]
    first = next((path for path in found if "worksheets/" in path), None)
    if first is not None:
        yield from (
            path for path in _targets(package, first).values() if "/drawings/drawing" in path
        )


def _targets(package: zipfile.ZipFile, path: str) -> dict[str, str]:
    """The parts that the part `path` names, by the names that it has for them."""
    rels = get_rels_path(path)
    if rels not in package.namelist():
        return {}
    return {
        rel.Id: rel.target for rel in get_dependents(package, rels) if rel.TargetMode != "External"
    }


def _picture(anchor: Any, data: bytes) -> tuple[TemplatePicture, int]:
    properties = anchor.pic.nvPicPr.cNvPr
    if not data.startswith(_SIGNATURES):
        raise ValueError(f"the picture {properties.name!r} is neither PNG, JPEG, GIF nor BMP.")
    frame = anchor.pic.spPr.xfrm
    size = getattr(anchor, "ext", None) or (frame.ext if frame is not None else None)
    if size is None:
        raise ValueError(f"the picture {properties.name!r} has no size.")
    end = getattr(anchor, "to", None)
    row, column, x, y = _corner(anchor)
    picture = TemplatePicture(
        row=row,
        column=column,
        x=x / _PIXEL,
        y=y / _PIXEL,
        width=size.cx / _PIXEL,
        height=size.cy / _PIXEL,
        data=data,
        description=properties.descr or "",
    )
    last = end.row + bool(end.rowOff) if end else picture.row + 1
    return picture, max(last, picture.row + 1)


def _corner(anchor: Any) -> tuple[int, int, int, int]:
    """Row, column, and how far into the cell."""
    corner = getattr(anchor, "_from", None)
    if corner is None:
        # It does not move with the cells.
        return 0, 0, anchor.pos.x, anchor.pos.y
    return corner.row, corner.col, corner.colOff, corner.rowOff
