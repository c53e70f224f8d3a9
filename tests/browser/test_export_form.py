"""Every kind of field sends what its model understands, and says what it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.every_kind import EveryKind
from tests.support.token_buckets import use_up
from waybill.infra.db.tables import export_task
from waybill.infra.db.token_buckets import Bucket, Rate, bucket_key


@pytest.fixture
def visit(visits: Callable[..., Visit]) -> Visit:
    """A visit of somebody who may export every kind of parameter, its form open."""
    visit = visits(timezone_id="Asia/Shanghai")
    visit.log_in(roles=("sales", "forms"))
    visit.page.get_by_label("Dataset", exact=True).select_option(label="Every kind")
    return visit


def submitted(visit: Visit) -> dict[str, Any]:
    """Start the export; the parameters that arrived."""
    visit.page.get_by_role("button", name="Start export").click()
    expect(visit.page.locator(".task")).to_have_count(1)
    params: dict[str, Any] = visit.tasks()[0]["params"]
    return params


def delimiter_of(visit: Visit) -> str | None:
    """The delimiter that the only task is stored with; None without CSV options of its own."""
    [task] = visit.tasks()
    with visit.api.engine.connect() as connection:
        stored = connection.scalar(
            sa.select(export_task.c.options).where(export_task.c.id == UUID(task["id"]))
        )
    return (stored or {}).get("csv", {}).get("delimiter")


def control(page: Page, name: str) -> Any:
    return page.locator(f"[data-param={name}]:visible")


def test_an_untouched_form_sends_the_defaults_of_the_model(visit: Visit) -> None:
    control(visit.page, "name").fill("ana")

    params = submitted(visit)

    assert params == EveryKind(name="ana").model_dump(mode="json")


def test_every_kind_of_value_arrives_as_it_was_meant(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("  ana  ")
    control(page, "exact").fill("9007199254740993")
    control(page, "ratio").fill("-2.25")
    control(page, "active").uncheck()
    control(page, "checked").select_option(label="No")
    control(page, "day").fill("2026-03-01")
    control(page, "moment").fill("2026-03-01T08:30:00")
    control(page, "city").select_option(label="Any")
    control(page, "level").select_option(label="2")
    page.get_by_role("checkbox", name="2").check()
    control(page, "tags").fill("one\n\n two \n")
    control(page, "extra").fill('{"a": 1}')
    control(page, "note").fill("")

    assert submitted(visit) == {
        "name": "ana",
        # One more than a JavaScript number can tell apart.
        "exact": 9007199254740993,
        "ratio": -2.25,
        "active": False,
        "checked": False,
        "day": "2026-03-01",
        # Half past eight in Shanghai.
        "moment": "2026-03-01T00:30:00Z",
        "city": None,
        "level": 2,
        "levels": [1, 2],
        "tags": ["one", "two"],
        "extra": {"a": 1},
        "note": None,
    }


def test_what_the_browser_cannot_read_is_not_sent(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("ana")
    control(page, "extra").fill('{"a": ')
    control(page, "day").press_sequentially("12")

    page.get_by_role("button", name="Start export").click()

    expect(page.get_by_text("This is not valid JSON")).to_be_visible()
    expect(page.get_by_text("This value is incomplete")).to_be_visible()
    assert visit.tasks() == []


def test_a_missing_value_is_named_and_every_error_stands_by_its_field(visit: Visit) -> None:
    page = visit.page
    control(page, "exact").fill("seven")
    control(page, "extra").fill('{"a": "x"}')

    page.get_by_role("button", name="Start export").click()

    problems = page.locator(".field-problem:visible")
    expect(problems).to_have_text(["This field is required", "Enter a whole number"])
    expect(control(page, "name")).to_be_focused()
    assert visit.tasks() == []

    control(page, "name").fill("ana")
    control(page, "exact").fill("7")
    page.get_by_role("button", name="Start export").click()
    # Only the server knows what is inside the JSON.
    expect(problems).to_have_count(1)
    expect(page.locator(".field").filter(has=control(page, "extra"))).to_contain_text(
        "valid integer"
    )
    visit.forgive("status of 422")


def test_another_dataset_brings_another_form(visit: Visit) -> None:
    page = visit.page
    expect(control(page, "exact")).to_be_visible()

    page.get_by_label("Dataset", exact=True).select_option(label="Orders")

    expect(control(page, "exact")).to_have_count(0)
    expect(page.get_by_label("At least")).to_be_visible()
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_contain_text("Orders · Excel")


@pytest.mark.parametrize(
    ("format_label", "profile", "delimiter"),
    [
        ("CSV", "Excel in Europe: semicolon, decimal comma", ";"),
        ("CSV (gzip)", "Programs: plain UTF-8, unchanged text", ","),
        ("CSV (zip)", "Standard", None),
    ],
)
def test_a_csv_export_has_the_profile_that_was_chosen(
    visit: Visit, format_label: str, profile: str, delimiter: str | None
) -> None:
    page = visit.page
    choice = page.get_by_label("CSV style")
    expect(choice).to_be_hidden()
    page.get_by_role("radio", name=format_label, exact=True).check()

    choice.select_option(label=profile)
    control(page, "name").fill("ana")
    submitted(visit)

    assert delimiter_of(visit) == delimiter


def test_a_profile_that_was_chosen_before_is_not_sent_for_another_format(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("radio", name="CSV", exact=True).check()
    page.get_by_label("CSV style").select_option(label="Programs: plain UTF-8, unchanged text")
    page.get_by_role("radio", name="Parquet", exact=True).check()

    expect(page.get_by_label("CSV style")).to_be_hidden()
    control(page, "name").fill("ana")
    submitted(visit)

    assert delimiter_of(visit) is None


def test_a_double_click_makes_one_task_and_says_so(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("ana")

    page.get_by_role("button", name="Start export").dblclick()

    expect(
        page.get_by_text("You clicked twice. Only one export was started: every_kind")
    ).to_be_visible()
    expect(page.locator(".task")).to_have_count(1)
    assert len(visit.tasks()) == 1


def test_asking_again_for_what_is_running_says_that_it_is(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("ana")
    submitted(visit)
    # No double click any more.
    page.clock.install()
    page.clock.fast_forward(5_000)

    page.get_by_role("button", name="Start export").click()

    expect(page.get_by_text("This export is already running: every_kind")).to_be_visible()
    assert len(visit.tasks()) == 1


@pytest.mark.parametrize(
    ("locale", "button", "says"),
    [
        ("en-US", "Start export", "starting exports too quickly. Try again in"),
        ("zh-CN", "开始导出", "新建导出过于频繁。请在"),
    ],
)
def test_r40_who_starts_exports_too_fast_reads_for_how_long_to_wait(
    visits: Callable[..., Visit], locale: str, button: str, says: str
) -> None:
    visit = visits(locale=locale)
    visit.log_in()
    rate = Rate(visit.api.services.settings.max_submits_per_minute)
    use_up(visit.api.engine, Bucket(bucket_key("submits", visit.tenant, "ana"), rate), keep=0.9)

    visit.page.get_by_role("button", name=button).click()

    expect(visit.page.locator("#form-problem")).to_contain_text(says)
    assert visit.tasks() == []
    visit.forgive("429")


def test_a_file_name_that_cannot_be_is_changed_and_said(visit: Visit) -> None:
    visit.log_in()
    page = visit.page
    page.locator("#filename").fill("a/b:c?.xlsx")
    page.get_by_role("button", name="Start export").click()
    expect(page.locator("#notice")).to_contain_text("no file name may contain were replaced")
    [task] = visit.tasks()
    assert task["filename"] in page.locator("#notice").inner_text()
    assert not set("/:?") & set(task["filename"])
