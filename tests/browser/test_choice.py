"""What an export will hold: columns, order, time zone and the first rows, chosen and kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.boxes import boxes, meet
from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.screens import DESKTOP, PHONE
from tests.support.servers.task_api import TaskApi, ask

ROLES = ("sales", "forms")
CHINESE = {"locale": "zh-CN"}
#: As the page asks for it, and as a program may.
ASKED: dict[str, Any] = {
    "columns": [{"name": "city", "label": "Town"}, "id"],
    "sort": ["-city", "id"],
    "timezone": "Asia/Shanghai",
}
#: What scrolls lies below what does not.
PLACES = ("head", "settings", "foot")
SAYS = "2 of 5 columns · in your order · 1 renamed · sorted by City ↓, Number ↑"


def opened(visit: Visit, path: str = "/?type=people") -> Locator:
    """The dialog, opened by its button."""
    visit.log_in(ROLES, path)
    visit.page.locator("#choose").click()
    return visit.page.get_by_role("dialog")


def rows_shown(visit: Visit, count: int = 50) -> Locator:
    """The rows of the preview, once they are there; a busy machine may be too slow at first."""
    # On a phone they are on the other pane.
    again = visit.page.locator("#preview-problem:not([hidden]) #preview-again")
    rows = visit.page.locator("#preview-scroll:not([hidden]) tbody tr")
    expect(again.or_(rows).first).to_be_attached()
    while again.count():
        visit.forgive("503")
        again.evaluate("button => button.click()")
        expect(again.or_(rows).first).to_be_attached()
    expect(rows).to_have_count(count)
    return rows


def headings(page: Page) -> list[str]:
    return page.locator("#preview th").all_text_contents()


def press(page: Page, target: Locator, *keys: str) -> None:
    target.focus()
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize(
    ("options", "names", "heads"),
    [
        (DESKTOP, ("Move City up", "Rename City", "Start export"), ["Town", "Number"]),
        (
            PHONE | CHINESE,
            ("上移“城市”", "修改“城市”的列标题", "开始导出"),
            ["Town", "编号"],
        ),
    ],
    ids=["1366 English", "390 Chinese"],
)
def test_a_keyboard_chooses_orders_renames_and_sorts_and_the_preview_follows(
    visits: Callable[..., Visit], options: dict[str, Any], names: tuple[str, ...], heads: list[str]
) -> None:
    up, rename, start = names
    visit = visits(**options)
    page = visit.page
    dialog = opened(visit)
    rows_shown(visit)
    columns = dialog.locator("#columns > li")
    for at in (1, 3, 4):
        press(page, columns.nth(at).locator("[type=checkbox]"), "Space")
    press(page, dialog.get_by_role("button", name=up), "Enter", "Enter", "Enter")
    press(page, dialog.get_by_role("button", name=rename), "Enter")
    page.keyboard.type("Town")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name=rename)).to_be_focused()
    press(page, dialog.locator("#order-add"), "Enter")
    # Not by the masked one.
    expect(dialog.locator("[data-order=column] option")).to_have_count(4)
    dialog.locator("[data-order=column]").select_option("city")
    dialog.locator("[data-order=direction]").select_option("-")
    press(page, dialog.locator("#order-add"), "Enter")
    dialog.locator("#choice-zone").select_option("Asia/Shanghai")

    expect(page.locator("#preview tbody tr").first).to_contain_text("Rome")
    assert headings(page) == heads
    page.locator("[name=choice-pane][value=preview]").evaluate("pane => pane.click()")
    assert findings(page, "light") == []
    page.keyboard.press("Escape")
    expect(page.locator("#choose")).to_be_focused()
    page.get_by_role("button", name=start).click()
    expect(page.locator(".task")).to_have_count(1)
    [task] = visit.tasks()
    assert task["columns"] == [{"name": "city", "label": "Town"}, {"name": "id", "label": None}]
    assert [(key["column"], key["descending"]) for key in task["sort"]] == [
        ("city", True), ("id", False),
    ]  # fmt: skip
    assert task["timezone"] == "Asia/Shanghai"


def test_a_column_is_dragged_and_a_wrong_choice_is_said_before_the_click(visit: Visit) -> None:
    page = visit.page
    dialog = opened(visit)
    rows_shown(visit)
    grips = dialog.locator(".grip")
    grips.nth(4).drag_to(grips.nth(0), target_position={"x": 4, "y": 2})
    assert headings(page) == ["Joined", "Number", "Name", "City", "Salary"]

    dialog.get_by_role("button", name="Rename Name").click()
    dialog.get_by_label("Heading of Name in the file").fill("city")
    expect(dialog.locator("#columns-problem")).to_have_text("Two columns have the heading “City”.")
    dialog.get_by_label("Heading of Name in the file").fill("")
    dialog.get_by_role("button", name="None", exact=True).click()
    expect(dialog.locator("#columns-problem")).to_have_text("Choose at least one column.")
    dialog.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Start export").click()
    expect(page.locator("#choice .field-problem")).to_be_visible()
    expect(page.locator("#choose")).to_be_focused()
    assert visit.tasks() == []

    page.locator("#choose").click()
    dialog.get_by_role("button", name="Reset").click()
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("#choice-text")).to_have_text("All 5 columns")


def test_the_preview_has_the_masks_of_the_reader_and_says_how_many_rows_there_are(
    visit: Visit,
) -> None:
    page = visit.page
    opened(visit)
    rows_shown(visit)
    said = page.locator("#preview-said")
    expect(said).to_contain_text("First 50 of 60 rows")
    expect(page.locator("#preview tbody tr").first).to_contain_text("***")
    expect(page.locator("#preview")).not_to_contain_text("1000")
    page.keyboard.press("Escape")
    page.locator("[data-param=city]:visible").fill("Rome")
    page.locator("#choose").click()
    expect(said).to_contain_text("All 30 rows")
    expect(page.locator("#preview-filters")).to_have_text("City: Rome")


def test_a_slow_preview_is_said_in_plain_words_and_ends_with_the_dialog(visit: Visit) -> None:
    page = visit.page
    dialog = opened(visit, "/?type=people&slow=true")
    expect(dialog.get_by_role("alert").filter(has_text="longer than 1.5 seconds")).to_be_visible()
    visit.forgive("503")

    with page.expect_request("**/preview") as asked:
        dialog.get_by_role("button", name="Try again").click()
    with page.expect_event("requestfailed", lambda request: request == asked.value):
        page.keyboard.press("Escape")
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize("way", ["link", "change", "saved", "schedule"])
def test_every_way_into_the_form_brings_columns_order_and_zone(
    visit: Visit, centre: TaskApi, way: str
) -> None:
    ana = centre.person(visit.tenant, roles=ROLES)
    request = {"type": "people", "format": "csv", "params": {"city": "Rome"}, **ASKED}
    path = "/?type=people&format=csv&city=Rome&columns=city,id&sort=-city&sort=id"
    path += "&timezone=Asia/Shanghai"
    says = SAYS.replace(" · 1 renamed", "")
    if way == "change":
        path, says = f"/?change={ask(ana, **request)['id']}", SAYS
    elif way != "link":
        body = {"name": "Rome", "request": request}
        saved = ana.post("/api/saved-exports", json=body).raise_for_status().json()["id"]
        path, says = f"/?saved={saved}", SAYS
        if way == "schedule":
            plan = {"saved_export_id": saved, "cron": "0 8 * * 1", "timezone": "UTC"}
            made = ana.post("/api/schedules", json=plan).raise_for_status().json()
            path = f"/?schedule={made['id']}"
    page = visit.page
    visit.log_in(ROLES, path)
    if way == "schedule":
        expect(page.get_by_role("dialog")).to_contain_text("Schedule “Rome”")
        page.keyboard.press("Escape")

    text = page.locator("#choice-text")
    expect(text).to_have_text(f"{says} · times in Asia/Shanghai")
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
    expect(page.get_by_role("radio", name="CSV", exact=True)).to_be_checked()


def test_the_choice_survives_another_language_and_a_lost_session(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    page.locator("#columns [type=checkbox]").first.uncheck()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.locator("#clear-form")).to_be_visible()

    page.get_by_role("button", name="中文").click()
    expect(page.locator("#choice-text")).to_have_text("5 列中的 4 列")
    visit.context.clear_cookies()
    visit.log_in(ROLES, "/?type=people")
    expect(page.locator("#choice-text")).to_contain_text("4")
    page.locator("#clear-form").click()
    expect(page.locator("#choice-text")).not_to_contain_text("4")


@pytest.mark.parametrize("options", [DESKTOP, PHONE | CHINESE], ids=["1366", "390"])
def test_nothing_in_the_dialog_overlaps_or_leaves_the_screen(
    visits: Callable[..., Visit], options: dict[str, Any]
) -> None:
    visit = visits(**options)
    page = visit.page
    dialog = opened(visit)
    rows_shown(visit)
    dialog.locator("#order-add").click()
    for button in dialog.locator("[data-column=rename]").all():
        button.click()

    width = options["viewport"]["width"]
    parts = (":is(button, select, input, h2, h3)", ".column-type")
    found = [boxes(page, f".choice-{place} :is({', '.join(parts)})") for place in PLACES]
    assert len(found[1]) > 20
    for place in found:
        assert [box for box in place if box["x"] < 0 or box["x"] + box["width"] > width] == []
        assert [pair for pair in combinations(place, 2) if meet(*pair)] == []
    assert findings(page, "light") + findings(page, "dark") == []
