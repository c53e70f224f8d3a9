"""LibreOffice without a window: opens files and says, as flat OpenDocument, what it found."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"

#: It takes seven, and longer while others use the machine.
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not empty."""

    #: OpenDocument's type of the value: float, string, boolean, date, time.
    kind: str
    #: The value itself, in the spelling of OpenDocument; of a string, its text.
    value: str
    #: What a person sees.
    shown: str
    formula: str | None


#: The cells of a sheet by row and column, counted from 0.
Sheet = dict[tuple[int, int], Cell]


#: How to read a file as CSV: comma, double quote, UTF-8, from the first line.
UTF8_CSV = "Text - txt - csv (StarCalc):44,34,76,1"


def open_all(
    paths: Sequence[Path], folder: Path, *, import_filter: str | None = None
) -> dict[str, dict[str, Sheet]]:
    """By the stem of each file's name, its sheets. One start of LibreOffice for all of them.

    Nothing of it is running afterwards, whatever happens. `folder` gets its profile and results.
    """
    command = [
        "soffice",
        f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        *("--headless", "--norestore", "--convert-to", "fods", "--outdir", folder / "found"),
        *([f"--infilter={import_filter}"] if import_filter else []),
        *paths,
    ]
    # A session of its own, since `soffice` is a script whose children would outlive it.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
    finally:
        _end_group(process.pid)
        process.wait()
    assert process.returncode == 0, said
    return {path.stem: _sheets(folder / "found" / f"{path.stem}.fods") for path in paths}


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _sheets(path: Path) -> dict[str, Sheet]:
    spreadsheet = ET.parse(path).getroot().find(f"{_OFFICE}body/{_OFFICE}spreadsheet")  # noqa: S314
    assert spreadsheet is not None
    return {
        table.attrib[f"{_TABLE}name"]: dict(_cells(table))
        for table in spreadsheet.iterfind(f"{_TABLE}table")
    }


def _cells(table: ET.Element) -> Iterator[tuple[tuple[int, int], Cell]]:
    row = 0
    for line in _rows(table):
        column = 0
        repeated = int(line.get(f"{_TABLE}number-rows-repeated", "1"))
        for element in line:
            width = int(element.get(f"{_TABLE}number-columns-repeated", "1"))
            kind = element.get(f"{_OFFICE}value-type")
            if kind is not None:
                cell = _cell(element, kind)
                for place in range(repeated * width):
                    yield (row + place // width, column + place % width), cell
            column += width
        row += repeated


def _rows(parent: ET.Element) -> Iterator[ET.Element]:
    """Rows, inside and outside of groups such as the header rows; not those of charts."""
    for child in parent:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag in (f"{_TABLE}table-header-rows", f"{_TABLE}table-row-group"):
            yield from _rows(child)


def _cell(element: ET.Element, kind: str) -> Cell:
    shown = "\n".join(map(_text, element.iterfind(f"{_TEXT}p")))
    name = "value" if kind in ("float", "percentage", "currency") else f"{kind}-value"
    value = element.get(f"{_OFFICE}{name}", shown)
    return Cell(kind, value, shown, element.get(f"{_TABLE}formula"))


def _text(paragraph: ET.Element) -> str:
    """The text of a paragraph, whose runs of blanks are elements."""
    parts = [paragraph.text or ""]
    for child in paragraph:
        if child.tag == f"{_TEXT}s":
            parts.append(" " * int(child.get(f"{_TEXT}c", "1")))
        elif child.tag == f"{_TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{_TEXT}line-break":
            parts.append("\n")
        else:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
