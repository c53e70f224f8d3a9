"""A chart shows every value that is not nothing, in proportion, and inside its frame."""

from __future__ import annotations

import pytest

from waybill.api.admin.charts import HEIGHT, WIDTH, bar_chart


def test_bars_stand_in_proportion_and_on_each_other() -> None:
    chart = bar_chart([(10, 10), (0, 5), (0, 0)])

    assert chart.top == 20
    assert [(bar.series, bar.height) for bar in chart.bars] == [
        (0, HEIGHT / 2),
        (1, HEIGHT / 2),
        (1, HEIGHT / 4),
    ]
    first, second, _ = chart.bars
    assert first.y + first.height == HEIGHT
    assert second.y + second.height == first.y


@pytest.mark.parametrize("columns", [[], [(0,)], [(0.4,), (31, 2)], [(1e9,), (1,)]])
def test_no_bar_leaves_the_frame_and_none_is_invisible(columns: list[tuple[float, ...]]) -> None:
    chart = bar_chart(columns)

    assert chart.top >= max((sum(column) for column in columns), default=0)
    assert len(chart.bars) == sum(value > 0 for column in columns for value in column)
    for bar in chart.bars:
        assert bar.height >= 2
        assert bar.x >= 0
        assert bar.y >= 0
        assert bar.x + bar.width <= WIDTH
        assert bar.y + bar.height <= HEIGHT + 2
