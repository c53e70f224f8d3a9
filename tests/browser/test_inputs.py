"""Values that people paste, choose and leave: lists, periods, values from the data, CSV options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.boxes import boxes, meet
from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.screens import PHONE

ROLES = ("sales", "forms")


def control(page: Page, name: str) -> Locator:
    return page.locator(f"[data-param={name}]:visible")


def people(visits: Callable[..., Visit], **options: Any) -> Visit:
    visit = visits(**options)
    visit.log_in(ROLES, "/?type=people")
    return visit


def started(visit: Visit) -> dict[str, Any]:
    visit.page.locator("#submit").click()
    expect(visit.page.locator(".task")).to_have_count(1)
    [task] = visit.tasks()
    return task


def test_a_pasted_list_is_split_counted_and_searched_for_duplicates(
    visits: Callable[..., Visit],
) -> None:
    visit = people(visits)
    page = visit.page
    row = page.locator(".field").filter(has=control(page, "ids"))
    control(page, "ids").fill("17, 18;19\t20 21\n22，18")
    expect(row.locator(".list-said")).to_contain_text("7 values: 17, 18, 19 and 4 more")
    expect(row.locator(".list-said")).to_contain_text("More than once: 18")
    row.get_by_role("button", name="Remove duplicates").click()
    assert started(visit)["params"]["ids"] == [17, 18, 19, 20, 21, 22]


def test_a_file_of_five_thousand_ids_fills_a_list(visits: Callable[..., Visit]) -> None:
    visit = people(visits)
    page = visit.page
    rows = "\r\n".join(f'{number};"Person, {number}"' for number in range(1, 5001))
    content = f"Nummer;Größe\r\n{rows}\r\n".encode("windows-1252")
    chosen = page.locator(".field").filter(has=control(page, "ids")).locator("[type=file]")
    chosen.set_input_files({"name": "ids.csv", "mimeType": "text/csv", "buffer": content})
    expect(page.locator(".list-said:visible")).to_contain_text("5,000 values: 1, 2, 3")
    assert started(visit)["params"]["ids"] == list(range(1, 5001))


def test_a_text_with_a_separator_in_it_stays_one_value(visit: Visit) -> None:
    page = visit.page
    visit.log_in(ROLES, "/?" + "type=every_kind&name=ana&tags=Rome,%20Italy&tags=New%20York")
    expect(control(page, "tags")).to_have_value('"Rome, Italy"\nNew York')
    assert started(visit)["params"]["tags"] == ["Rome, Italy", "New York"]


def test_a_period_fills_both_days_in_the_readers_zone_and_a_range_backwards_is_marked(
    visits: Callable[..., Visit],
) -> None:
    visit = visits(timezone_id="Asia/Shanghai")
    page = visit.page
    # The first of March in Shanghai, still February elsewhere.
    page.clock.set_fixed_time(datetime(2028, 2, 29, 18, tzinfo=UTC))
    visit.log_in(ROLES, "/?type=people")
    first, last, period = (
        control(page, "joined_from"),
        control(page, "joined_to"),
        page.locator(".range select:visible"),
    )
    for name, days in {
        "today": ("2028-03-01", "2028-03-01"),
        "yesterday": ("2028-02-29", "2028-02-29"),
        "last_7_days": ("2028-02-23", "2028-02-29"),
        "this_month": ("2028-03-01", "2028-03-31"),
        "last_month": ("2028-02-01", "2028-02-29"),
        "this_year": ("2028-01-01", "2028-12-31"),
    }.items():
        period.select_option(name)
        assert (name, first.input_value(), last.input_value()) == (name, *days)
        assert period.input_value() == name
    last.fill("2027-12-31")
    expect(period).to_have_value("own")
    expect(page.get_by_text("The last day is before the first")).to_be_visible()
    page.get_by_role("button", name="Start export").click()
    expect(last).to_be_focused()
    assert visit.tasks() == []
    period.select_option("")
    expect(page.get_by_text("The last day is before the first")).to_be_hidden()


@pytest.mark.parametrize("options", [{}, PHONE | {"locale": "zh-CN"}], ids=["desktop", "phone"])
def test_values_of_the_data_are_chosen_by_keyboard_and_a_wrong_case_is_told(
    visits: Callable[..., Visit], options: dict[str, Any]
) -> None:
    visit = people(visits, **options)
    page = visit.page
    city = control(page, "city")
    city.focus()
    expect(page.locator("[role=option]:visible")).to_have_text(["Oslo", "Rome"])
    [shown] = boxes(page, "[role=listbox]")
    assert shown["x"] >= 0
    assert not meet(shown, boxes(page, "[data-param=city]")[0])
    assert findings(page, "light") == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(city).to_have_value("Rome")
    city.press_sequentially("x")
    page.keyboard.press("Escape")
    city.fill("")
    city.press_sequentially("oslo")
    control(page, "joined_from").focus()
    page.get_by_role("button", name="Oslo", exact=True).click()
    assert started(visit)["params"]["city"] == "Oslo"


def test_a_wrong_value_is_said_when_the_field_is_left_and_gone_when_it_is_mended(
    visit: Visit,
) -> None:
    page = visit.page
    visit.log_in(ROLES, "/?type=every_kind")
    exact = control(page, "exact")
    exact.fill("seven")
    expect(page.locator(".field-problem:visible")).to_have_count(0)
    control(page, "name").focus()
    expect(page.get_by_text("Enter a whole number")).to_be_visible()
    exact.fill("7")
    expect(page.locator(".field-problem:visible")).to_have_count(0)
    # What only the server knows.
    control(page, "name").fill("ana")
    control(page, "extra").fill('{"a": "x"}')
    control(page, "name").focus()
    expect(page.get_by_text("valid integer")).to_be_visible()
    control(page, "extra").fill('{"a": 1}')
    control(page, "name").focus()
    expect(page.get_by_text("valid integer")).to_be_hidden()
    visit.forgive("status of 422")


def test_csv_is_written_as_the_request_says_and_changed_again(visit: Visit) -> None:
    page = visit.page
    visit.log_in(ROLES, "/?type=people&format=csv")
    page.locator("#csv").select_option("excel-semicolon")
    page.get_by_text("More CSV options").click()
    page.get_by_label("Delimiter").select_option(label="Comma")
    expect(page.get_by_text("The delimiter is the decimal sign")).to_be_visible()
    page.get_by_label("Decimal sign").select_option(label="Point")
    expect(page.get_by_text("The delimiter is the decimal sign")).to_be_hidden()
    page.get_by_label("Byte order mark").select_option(label="Without")
    page.get_by_label("Timestamps").select_option(label="As Excel reads dates")
    task = started(visit)
    wanted = {
        "profile": "excel-semicolon",
        "delimiter": ",",
        "decimal": ".",
        "bom": False,
        "times": "local",
    }
    assert wanted.items() <= task["csv"].items()
    page.goto(f"{visit.api.url}/?change={task['id']}")
    expect(page.get_by_label("Byte order mark")).to_have_value("false")
    expect(page.get_by_label("Timestamps")).to_have_value("local")
    expect(page.get_by_label("Delimiter")).to_have_value(",")
    expect(page.locator("#csv")).to_have_value("excel-semicolon")
