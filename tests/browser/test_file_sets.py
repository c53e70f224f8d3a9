"""The files of an export that is a set: listed, and fetched while the rest is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit, open_visit
from tests.browser.judge import findings
from tests.browser.screens import DESKTOP, PHONE
from tests.support.file_sets import SIZE_BYTES, begin_set, finish_set, write_file
from tests.support.servers.task_api import TaskApi, ask
from tests.support.task_store import progress_of

WORDS = {
    "en-US": {
        "details": "Details",
        "title": "Files of this export",
        "ready": "1 of 3 files ready",
        "partial": "Files that are ready can be downloaded already",
        "first": "part-00001.csv 10 rows · 100 bytes",
        "waiting": "10 rows · not ready yet",
        "manifest": "Manifest (names, rows and SHA-256 of all files)",
    },
    "zh-CN": {
        "details": "详情",
        "title": "此次导出的文件",
        "ready": "3 个文件中已有 1 个可下载",
        "partial": "已就绪的文件可以先下载",
        "first": "part-00001.csv 10 行 · 100字节",
        "waiting": "10 行 · 尚未就绪",
        "manifest": "清单（所有文件的名称、行数和 SHA-256）",
    },
}


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Of the window."""
    shape: dict[str, Any] = request.param
    return shape


@pytest.fixture(params=WORDS)
def visit(
    browser: Browser, filed: TaskApi, options: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """A visit in one language, of a window of that kind."""
    visit = open_visit(browser, filed, locale=request.param, **options)
    with closing(visit.context):
        yield visit
    assert visit.unforgiven == []


def test_files_of_a_set_are_fetched_while_the_rest_is_written(
    visit: Visit, filed: TaskApi, options: dict[str, Any]
) -> None:
    words, page = WORDS[page_language(visit)], visit.page
    task = ask(filed.person(visit.tenant), format="csv", filename="orders")
    claim = filed.begin(task)
    store = filed.services.store
    file = begin_set(filed.engine, claim, filed.key_of(task["id"]))
    write_file(filed.engine, store, claim)
    filed.runs.heartbeat(claim, replace(progress_of(10, 30), shards=3, shards_done=1, files=3))
    visit.log_in()
    card = page.locator(".task")
    expect(card).to_contain_text(words["ready"])

    card.get_by_role("button", name=words["details"]).click()
    expect(card.get_by_role("heading", name=words["title"])).to_be_visible()
    partial = card.get_by_text(words["partial"])
    expect(partial).to_be_visible()
    lines = card.locator('[data-slot="set-list"] li')
    expect(lines).to_have_count(3)
    expect(lines.nth(0)).to_have_text(words["first"])
    expect(lines.nth(1)).to_contain_text(words["waiting"])
    with page.expect_download() as download:
        lines.nth(0).get_by_role("link").click()
    assert download.value.suggested_filename == "orders-part-00001.csv"
    assert Path(download.value.path()).read_bytes() == bytes(SIZE_BYTES)
    assert findings(page, "light") + findings(page, "dark") == []
    width = options["viewport"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    for _ in range(2):
        write_file(filed.engine, store, claim)
    finish_set(filed.engine, store, claim, file)
    page.reload()
    card.get_by_role("button", name=words["details"]).click()
    expect(lines).to_have_count(4)
    expect(partial).to_be_hidden()
    with page.expect_download() as download:
        card.get_by_role("link", name=words["manifest"]).click()
    assert download.value.suggested_filename == "orders-manifest.json"
    assert b'"complete": true' in Path(download.value.path()).read_bytes()


def page_language(visit: Visit) -> str:
    """The language of its window."""
    language: str = visit.page.evaluate("navigator.language")
    return language
