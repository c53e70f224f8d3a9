"""The shape of a corpus case: an Arrow column, and what every format must show for it.

``xlsx`` holds one value a row, as a person would see it in Excel (``_xHHHH_`` undone) and as
openpyxl types it: int, float, bool, str, datetime, time, timedelta; None means *no cell*.
openpyxl rounds times to the millisecond, so do the values here.

``csv`` holds one value a row, the field as a CSV parser returns it in formula-safe mode:
str is compared exactly; None is an empty field *without* quotes (NULL), while "" is ``""``;
a float means any spelling that `float()` reads back to exactly this value; a datetime, date
or time means any ISO 8601 spelling of it (aware ones compare as instants).

``jsonl`` holds one value a row, as `json.loads` returns it, with the same reading of
datetime, date and time as text; a Decimal means a number with exactly these digits. Parquet
must give back ``array`` itself, value by value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

#: Aware timestamps are shown in this zone by every case (`Layout.timezone`).
ZONE = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True, slots=True)
class CellCase:
    """One column of hostile values, with its number in RELIABILITY.md §3a."""

    number: str
    name: str
    array: pa.Array
    xlsx: Sequence[Any]
    csv: Sequence[Any]
    jsonl: Sequence[Any]
    #: What the XLSX encoder must count in `Tally.warnings`, by rule.
    xlsx_warnings: Mapping[str, int] = field(default_factory=dict)
    #: The same for the Parquet encoder.
    parquet_warnings: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A case whose expectations do not cover every row would prove less than it says."""
        assert len(self.array) == len(self.xlsx) == len(self.csv) == len(self.jsonl), self.id

    @property
    def id(self) -> str:
        return f"{self.number}-{self.name.replace(' ', '-')}"

    @property
    def table(self) -> pa.Table:
        """The case as a table of one column called ``value``."""
        return pa.table({"value": self.array})


def text_case(
    number: str, name: str, *values: str | None, csv: Sequence[Any] | None = None
) -> CellCase:
    """A text column that XLSX and JSON show unchanged; `csv` where safe mode changes it."""
    return CellCase(number, name, pa.array(values, pa.string()), values, csv or values, values)
