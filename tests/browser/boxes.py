"""Where elements are on the screen, and whether they overlap."""

from __future__ import annotations

from playwright.sync_api import Page

#: All at once: to ask the browser for each of a hundred elements takes seconds.
_BOXES = "all => all.map(one => one.getBoundingClientRect().toJSON())"


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    """Place and size of each visible element that `selector` finds."""
    found: list[dict[str, float]] = page.locator(f"{selector} >> visible=true").evaluate_all(_BOXES)
    return found


def meet(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two boxes overlap by more than half a pixel."""
    return (
        one["x"] + 0.5 < other["x"] + other["width"]
        and other["x"] + 0.5 < one["x"] + one["width"]
        and one["y"] + 0.5 < other["y"] + other["height"]
        and other["y"] + 0.5 < one["y"] + one["height"]
    )
