"""What an export will be is said before the click, and a better format is one click away."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings


def test_rows_sheets_size_and_time_are_told_and_a_better_format_chosen(visit: Visit) -> None:
    page = visit.page
    visit.log_in(("forms",))
    page.get_by_label("Dataset", exact=True).select_option(label="Many rows")

    panel = page.get_by_role("region", name="Estimate")
    expect(panel).to_contain_text("1,100,000 rows · 2 sheets · about ")
    # Exports of other tests may wait in the same queue.
    expect(panel).to_contain_text(re.compile(r"starts immediately|position \d+ in the queue"))
    expect(panel).to_contain_text("1,100,000 rows need 2 sheets in Excel.")
    assert findings(page, "light") + findings(page, "dark") == []
    panel.get_by_role("button", name="Switch to CSV (zip)").click()

    expect(page.get_by_role("radio", name="CSV (zip)")).to_be_checked()
    expect(page.get_by_role("radio", name="CSV (zip)")).to_be_focused()
    expect(panel).to_contain_text("2 files")
    expect(panel.get_by_role("button")).to_have_count(0)
    assert visit.tasks() == []


def test_the_estimate_follows_the_form_and_is_silent_while_it_cannot_be_sent(
    visits: Callable[..., Visit],
) -> None:
    visit = visits()
    page = visit.page
    visit.log_in(("forms", "sales"))
    panel = page.get_by_role("region", name="Estimate")
    # The first dataset has a field that must be filled in.
    expect(page.locator(".task, #empty").first).to_be_visible()
    expect(panel).to_be_hidden()
    page.get_by_label("Name").first.fill("ana")
    expect(panel).to_contain_text("1 row ·")

    page.get_by_label("Dataset", exact=True).select_option(label="Many rows")
    page.get_by_role("checkbox", name="Empty").check()
    expect(panel).to_contain_text("No rows match these filters.")

    page.get_by_label("Dataset", exact=True).select_option(label="Orders")
    page.get_by_label("At least").fill("5000")
    expect(panel).to_be_hidden()
    expect(page.locator(".field-problem:visible")).to_have_count(0)
