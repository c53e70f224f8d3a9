"""The `<waybill-export>` button in a page of another origin, under a strict policy of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.browser.conftest import Visit, open_visit
from tests.browser.judge import findings
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi
from waybill.api.pages.texts.chinese_passwords import CHINESE_PASSWORDS
from waybill.api.pages.texts.english_passwords import ENGLISH_PASSWORDS

#: As docs/embedding.md has it, without a word for inline styles or scripts.
POLICY = "default-src 'none'; script-src {api}; connect-src {api}"


@contextmanager
def shop(api: TaskApi, folder: Path, button: str, lang: str = "en") -> Iterator[str]:
    """The address of a page with a button, of the other origin."""
    host = str(httpx2.URL(api.url).copy_with(path="/")).removesuffix("/")

    async def page(_request: Request) -> HTMLResponse:
        script = f'<script type="module" src="{api.url}/embed/waybill-export.js"></script>'
        html = f"<!doctype html><html lang={lang}><title>Shop</title>{script}<main>{button}</main>"
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY.format(api=host)})

    with api.elsewhere(Starlette(routes=[Route("/", page)]), folder) as origin:
        yield origin


def test_it_starts_follows_and_downloads_in_a_page_of_another_origin(
    browser: Browser, filed: TaskApi, tmp_path: Path
) -> None:
    api, params = filed, json.dumps({"city": "Rome"})
    button = f"<waybill-export type=orders format=csv params='{params}'></waybill-export>"
    with shop(api, tmp_path, button) as origin:
        visit = open_visit(browser, api)
        page = visit.page
        token = api.token(visit.tenant)
        visit.context.add_cookies([api.login(visit.tenant, "ana", ("sales",))])
        page.goto(origin)
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_role("status")).to_have_text("Exporting…")
        task = wait_for(visit.tasks)[0]
        assert (task["type"], task["params"]["city"]) == ("orders", "Rome")
        with page.expect_download() as download:
            api.finish(task)
        assert download.value.suggested_filename == task["filename"]
        expect(page.get_by_role("status")).to_have_text("Downloaded.")
        # The same by a token, as between sites, where no cookie comes along.
        visit.context.clear_cookies()
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_role("status")).to_contain_text("The export failed:")
        visit.forgive("401")
        page.evaluate(
            "token => { document.querySelector('waybill-export').token = async () => token; }",
            token,
        )
        with page.expect_download():
            page.get_by_role("button", name="Export").click()
            again = wait_for(lambda: [one for one in visit.tasks() if one["id"] != task["id"]])
            api.finish(again[0])
        assert page.url == f"{origin}/"
        assert visit.unforgiven == []
        visit.context.close()


def approve(visit: Visit, task_id: str) -> None:
    """Somebody else agrees to it."""
    lead = visit.api.person(visit.tenant, "leo", ("hr", "lead"))
    answer = lead.post(f"{TASKS}/{task_id}/approve", json={})
    assert answer.is_success, answer.text


def downloads(visit: Visit, reason: str, text: re.Pattern[str]) -> None:
    """The one export of `visit` has this reason, waits for an approval, and gives its file."""
    [task] = wait_for(visit.tasks)
    assert task["reason"] == reason
    expect(visit.page.get_by_role("status")).to_have_text(text)
    with visit.page.expect_download():
        approve(visit, task["id"])
        visit.api.finish(task)


WORDS = {
    "en": ("Export", "What is the file needed for?", "Waiting for somebody to approve"),
    "zh": ("导出", "文件用途", "等待他人审批…"),
}


@pytest.mark.parametrize("lang", WORDS)
def test_a_dataset_that_asks_for_a_reason_gets_it_from_a_field_that_opens(
    browser: Browser, filed: TaskApi, tmp_path: Path, lang: str
) -> None:
    label, question, waits = WORDS[lang]
    with shop(filed, tmp_path, "<waybill-export type=salaries></waybill-export>", lang) as origin:
        visit = open_visit(browser, filed, viewport={"width": 390, "height": 760})
        page = visit.page
        visit.context.add_cookies([filed.login(visit.tenant, "ana", ("hr",))])
        page.goto(origin)
        # By the keyboard alone.
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        field = page.get_by_label(question)
        expect(field).to_be_focused()
        visit.forgive("422")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert findings(page, "light") + findings(page, "dark") == []
        page.keyboard.type("   ")
        page.keyboard.press("Enter")
        expect(field).to_be_focused()
        page.keyboard.press("Escape")
        expect(field).to_be_hidden()
        expect(page.get_by_role("button", name=label)).to_be_focused()
        assert visit.tasks() == []

        page.keyboard.press("Enter")
        expect(field).to_be_focused()
        page.keyboard.type("For the auditors.")
        page.keyboard.press("Enter")
        downloads(visit, "For the auditors.", re.compile(re.escape(waits)))
        expect(field).to_be_hidden()
        assert visit.unforgiven == []
        visit.context.close()


@pytest.mark.parametrize(
    ("button", "asks"),
    [
        ("<waybill-export type=salaries reason='Audit 7'></waybill-export>", False),
        ("<waybill-export type=salaries reason></waybill-export>", True),
        (
            "<waybill-export type=salaries>Export<textarea slot=reason aria-label=Why>"
            "</textarea></waybill-export>",
            True,
        ),
    ],
    ids=["an attribute", "asked at once", "a field of the page"],
)
def test_the_reason_is_an_attribute_or_that_of_a_field_of_the_page(
    browser: Browser, filed: TaskApi, tmp_path: Path, button: str, asks: bool
) -> None:
    with shop(filed, tmp_path, button) as origin:
        visit = open_visit(browser, filed)
        page = visit.page
        visit.context.add_cookies([filed.login(visit.tenant, "ana", ("hr",))])
        page.goto(origin)
        export = page.get_by_role("button", name="Export")
        export.first.click()
        if asks:
            field = page.get_by_role("textbox")
            expect(field).to_be_focused()
            expect(page.get_by_role("status")).to_have_text("This export needs a reason.")
            field.fill("Audit 7")
            export.last.click()
        downloads(visit, "Audit 7", re.compile("approve"))
        if "textarea" in button:
            visit.forgive("422")
        assert visit.unforgiven == []
        visit.context.close()


PASSWORD_WORDS = {"en": (ENGLISH_PASSWORDS, "Downloaded."), "zh": (CHINESE_PASSWORDS, "已下载。")}


@pytest.mark.parametrize("lang", PASSWORD_WORDS)
@pytest.mark.parametrize(
    ("button", "role", "is_refused"),
    [("type=contracts", "legal", True), ("type=orders format=csv password", "sales", False)],
    ids=["demanded", "asked for"],
)
def test_a_password_is_shown_once_with_the_words_of_the_task_centre(
    browser: Browser,
    filed: TaskApi,
    tmp_path: Path,
    lang: str,
    button: str,
    role: str,
    is_refused: bool,
) -> None:
    words, downloaded = PASSWORD_WORDS[lang]
    with shop(filed, tmp_path, f"<waybill-export {button}></waybill-export>", lang) as origin:
        visit = open_visit(browser, filed, viewport={"width": 390, "height": 760})
        page = visit.page
        visit.context.add_cookies([filed.login(visit.tenant, "ana", (role,))])
        page.goto(origin)
        page.evaluate(
            "window.told = [];"
            "for (const name of ['waybill-progress', 'waybill-done'])"
            "  addEventListener(name, ({ detail }) => told.push(JSON.stringify(detail)));"
        )
        page.get_by_role("button").click()
        dialog = page.get_by_role("dialog", name=words["password_title"])
        expect(dialog).to_be_visible()
        expect(dialog).to_contain_text(words["password_once"])
        copy = dialog.get_by_role("button", name=words["password_copy"], exact=True)
        expect(copy).to_be_focused()
        password = dialog.locator("code").inner_text()
        assert re.fullmatch(r"[2-9a-z]{5}(-[2-9a-z]{5}){4}", password)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert findings(page, "light") + findings(page, "dark") == []

        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        # A call of the page's own, which would take it away.
        page.evaluate("document.querySelector('waybill-export').start()")
        expect(dialog).to_be_visible()
        [task] = wait_for(lambda: _tasks_as(visit, role))
        assert task["protected"]
        with page.expect_download():
            filed.finish(task)
        copy.click()
        told = re.compile(f"{words['password_copied']}|{words['password_by_hand']}")
        expect(dialog.locator("[part=password-copy]")).to_have_text(told)
        dialog.get_by_role("button", name=words["password_done"]).click()
        expect(dialog).to_be_hidden()
        expect(page.get_by_role("status")).to_have_text(downloaded)
        events = wait_for(lambda: page.evaluate("told"))
        assert password not in "".join(events)
        assert (
            page.evaluate(
                "document.querySelector('waybill-export').shadowRoot.querySelector('code').textContent"
            )
            == ""
        )
        if is_refused:
            visit.forgive("422")
        assert visit.unforgiven == []
        visit.context.close()


def _tasks_as(visit: Visit, role: str) -> list[dict[str, Any]]:
    person = visit.api.person(visit.tenant, "ana", (role,))
    items: list[dict[str, Any]] = person.get(TASKS).json()["items"]
    return items
