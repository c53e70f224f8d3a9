"""Bar charts as rectangles for a template to draw, without scripts or styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 480
HEIGHT = 140
#: The part of each bar's slot that stays empty.
_GAP = 0.25
_MIN_HEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle. `series` is the index of its value within the stack."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from left to right, and the value at the top of the scale."""

    bars: Sequence[Bar]
    top: float


def bar_chart(columns: Sequence[Sequence[float]]) -> Chart:
    """A chart of stacked bars, one stack for each column. Every value above 0 is visible."""
    top = _round_up(max((sum(column) for column in columns), default=0))
    slot = WIDTH / max(1, len(columns))
    bars: list[Bar] = []
    for number, column in enumerate(columns):
        floor = float(HEIGHT)
        for series, value in enumerate(column):
            if value <= 0:
                continue
            height = max(_MIN_HEIGHT, value / top * HEIGHT)
            floor = max(0.0, floor - height)
            x = (number + _GAP / 2) * slot
            bars.append(
                Bar(
                    round(x, 1),
                    round(floor, 1),
                    round(slot * (1 - _GAP), 1),
                    round(height, 1),
                    series,
                )
            )
    return Chart(bars, top)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 … for a readable scale; at least 1."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)
