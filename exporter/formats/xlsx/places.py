"""Places in a workbook behind which another process can go on with its bytes.

That is behind a run of rows, while the workbook has one sheet, and nothing waits to be written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from waybill.exporter.formats.xlsx.package import Package
from waybill.exporter.formats.xlsx.placement import SETTLE_LAG, Placement


@dataclass(slots=True)
class WorkbookPlace:
    """Where the encoding of one workbook begins, and where it is, as JSON."""

    begin: Mapping[str, Any] | None = None
    #: None where nobody can go on.
    now: Mapping[str, Any] | None = None


@dataclass(slots=True)
class PlaceKeeper:
    """Keeps `place` up to date, a run of rows after the other."""

    place: WorkbookPlace
    package: Package
    #: What the first rows decided: widths of columns, and whether there is one sheet only.
    widths: Sequence[float]
    rows_of_one_sheet: int | None
    settled: int = 0
    unsettled: deque[int] = field(default_factory=deque)

    def go_on(self, begin: Mapping[str, Any], placement: Placement) -> None:
        """Go on at `begin`, which another process has written down."""
        self.settled, self.unsettled = begin["settled"], deque(begin["unsettled"])
        sheet = placement.go_on(
            begin["package"]["rows"], settled=self.settled, unsettled=self.unsettled
        )
        self.package.go_on(begin["package"], sheet)

    def note(self, xml_bytes: Sequence[int]) -> None:
        """A run of rows is written, whose pieces have these sizes."""
        self.unsettled.append(sum(xml_bytes))
        if len(self.unsettled) > SETTLE_LAG:
            self.settled += self.unsettled.popleft()
        package = self.package.place()
        self.place.now = package and {
            "package": package,
            "widths": list(self.widths),
            "rows_of_one_sheet": self.rows_of_one_sheet,
            "settled": self.settled,
            "unsettled": list(self.unsettled),
        }
