"""The layout of the list: nothing overlaps, leaves the screen or breaks in two."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.boxes import boxes, meet
from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.scenes import ROLES, every_state
from tests.browser.screens import DESKTOP, PHONE
from tests.support.servers.task_api import TaskApi, ask


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["1366", "390"])
@pytest.mark.parametrize("compact", [False, True], ids=["roomy", "compact"])
def test_nothing_overlaps_leaves_the_screen_or_breaks_in_two(
    visits: Callable[..., Visit], locale: str, options: dict[str, Any], compact: bool
) -> None:
    visit = visits(locale=locale, **options)
    page = visit.page
    every_state(visit.api, visit.tenant)
    visit.log_in(ROLES)
    expect(page.locator(".task")).to_have_count(8)
    if compact:
        page.locator("#density").click()
    page.locator("#pick-all").check()
    for button in page.locator("[data-action=details]").all():
        button.click()
    page.wait_for_load_state("networkidle")

    width = options["viewport"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = ".button, h3, .badge, .filter-chip, .task-meta, .proof, input, select, label.pick-all"
    found = boxes(page, f"main :is({shown})")
    assert len(found) > 50
    for box in found:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 0.5
    actions = boxes(page, "main .button, main h3, main .badge, .task-meta, main select")
    assert [pair for pair in combinations(actions, 2) if meet(*pair)] == []
    # One line of text and its padding.
    buttons = page.locator("main .button:visible, .bar .button:visible")
    high = "all => all.filter(one => one.clientHeight > 44).map(one => one.textContent)"
    assert buttons.evaluate_all(high) == []
    assert findings(page, "light") + findings(page, "dark") == []


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["1366", "390"])
def test_a_message_covers_nothing(visits: Callable[..., Visit], options: dict[str, Any]) -> None:
    visit = visits(**options)
    page = visit.page
    every_state(visit.api, visit.tenant)
    visit.log_in()
    expect(page.locator(".task")).to_have_count(8)
    top = page.locator("#list-title").bounding_box()

    page.locator("[data-action=again]:visible").first.click()
    expect(page.locator("#notice")).to_be_visible()
    expect(page.locator(".task")).to_have_count(9)

    # Nothing was pushed down.
    page.evaluate("scrollTo(0, 0)")
    after = page.locator("#list-title").bounding_box()
    assert top
    assert after
    assert after["y"] == top["y"]
    others = boxes(page, ".brand, .who > *, main :is(.button, input, select, h2, h3)")
    if options is PHONE:
        # At the foot of the screen, below everything once the page is at its end.
        page.evaluate("document.getElementById('notice').hidden = false")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        others = boxes(page, "main :is(.button, input, select, h2, h3)")
    # It would be gone by now.
    page.evaluate("document.getElementById('notice').hidden = false")
    [notice] = boxes(page, "#notice")
    assert [box for box in others if meet(notice, box)] == []
    assert notice["x"] >= 0
    assert notice["x"] + notice["width"] <= options["viewport"]["width"]


def test_on_a_phone_the_list_comes_first_once_there_is_one(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    visit = visits(**PHONE)
    page = visit.page
    visit.log_in()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.get_by_label("City")).to_be_visible()

    centre.finish(ask(centre.person(visit.tenant), filename="mine"))
    page.reload()
    expect(page.locator(".task")).to_be_visible()
    expect(page.get_by_label("City")).to_be_hidden()
    row = page.locator(".task").bounding_box()
    assert row
    assert row["y"] < 760

    page.get_by_role("button", name="New export").click()
    expect(page.get_by_label("Dataset", exact=True)).to_be_focused()
    page.get_by_label("City").fill("Rome")
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_have_count(2)
    expect(page.get_by_label("City")).to_be_hidden()
