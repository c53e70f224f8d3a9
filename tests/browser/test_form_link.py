"""A link opens the form filled in, and no value in it does harm."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def open_form(visit: Visit, **query: Any) -> None:
    visit.log_in(roles=("sales", "forms"), path="/?" + urlencode(query, doseq=True))


def test_each_kind_of_field_is_filled_in_and_the_address_opens_no_list(visit: Visit) -> None:
    open_form(visit, type="orders", format="csv", filename="mine", city="Rome", status="paid")
    page = visit.page

    expect(page.get_by_label("Dataset", exact=True)).to_have_value("orders")
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
    expect(page.locator("[data-param=status]:visible")).to_have_value('"paid"')
    expect(page.locator("#filename")).to_have_value("mine")
    expect(page.locator("#notice")).to_be_hidden()
    # `status` is a parameter here, and no filter of the list.
    expect(page.locator("#empty")).to_be_visible()
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_have_count(1)
    [task] = visit.tasks()
    assert (task["format"], task["params"]["city"], task["params"]["status"]) == (
        "csv", "Rome", "paid"
    )  # fmt: skip


def test_what_the_form_does_not_have_is_named_and_what_does_not_fit_is_marked(
    visit: Visit,
) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    open_form(visit, type="orders", city="R" * 81, at_least="many", **{evil: evil}, format=evil)
    page = visit.page

    expect(page.locator("#notice")).to_contain_text("The link names what this form does not have")
    expect(page.locator("#notice")).to_contain_text('"><img')
    expect(page.locator("[data-param=city]:visible")).to_have_value("")
    expect(page.locator("[data-param=at_least]:visible")).to_have_value("0")
    expect(page.locator(".field.wrong")).to_have_count(2)
    expect(page.locator("[src=x]")).to_have_count(0)
    page.goto(visit.api.url + "/?type=nothing")
    expect(page.locator("#notice")).to_contain_text("nothing, which you cannot export")
    assert visit.tasks() == []


def test_a_link_to_a_dataset_asks_what_that_dataset_asks_and_no_other(visit: Visit) -> None:
    # The first of the list, which the form shows before it is filled in, demands a password.
    visit.log_in(roles=("hr", "legal"), path="/?type=salaries")
    page = visit.page
    expect(page.get_by_label("Dataset", exact=True)).to_have_value("salaries")
    expect(page.locator("#reason-row")).to_be_visible()
    expect(page.locator("#watermark-hint")).to_be_visible()
    box = page.get_by_role("checkbox", name="Protect with a password")
    expect(box).to_be_enabled()
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_label("Dataset", exact=True).select_option("contracts")
    expect(box).to_be_disabled()
    expect(page.locator("#reason-row")).to_be_hidden()
    page.get_by_label("Dataset", exact=True).select_option("salaries")
    expect(box).to_be_checked()
    # A draft keeps it, as over a switch of the language.
    page.locator("#reason").fill("For the auditors.")
    expect(page.locator("#clear-form")).to_be_visible()
    page.reload()
    expect(page.locator("#reason-row")).to_be_visible()
    expect(page.locator("#reason")).to_have_value("For the auditors.")
    expect(box).to_be_checked()
