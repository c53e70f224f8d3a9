"""The site of the documents, built once: its pages, and its search in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import visiting

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each link leads somewhere, or the build fails; the generated pages are today's."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Not into the output of the tests."""


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served. From disk, its search needs a script that `make docs` fetches."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_site_has_pages_out_of_code_and_asks_no_other_host(site: Path) -> None:
    assert "waybill dead-letters replay" in (site / "cli.html").read_text()
    assert "/api/export-tasks/estimate" in (site / "http.html").read_text()
    assert "get_principal" in (site / "python.html").read_text()
    asked = re.compile(r"<(?:script|link|img)[^>]*(?:src|href)=\"?https?://[^ >]*")
    pages = list(site.glob("*.html"))
    assert pages
    assert [asked.findall(page.read_text()) for page in pages] == [[] for _ in pages]


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        # Inside a sentence, as all Chinese words are.
        ("教程", "tutorial.zh-CN.html"),
        ("任务中心", "overview.zh-CN.html"),
        ("下载链接", "overview.zh-CN.html"),
        ("WAYBILL_SLICE", "settings.html"),
        ("failover", "operations.html"),
    ],
)
def test_the_search_finds_pages_by_words_of_both_languages(
    browser: Browser, address: str, asked: str, page: str
) -> None:
    with visiting(browser) as (shown, complaints):
        shown.goto(f"{address}/index.html")
        box = shown.locator("input.md-search__input")
        box.click()
        box.fill(asked)
        # It searches when a key was pressed, which filling in is not.
        box.press("End")
        found = shown.locator(f"a.md-search-result__link[href*='/{page}']")
        expect(found.first).to_be_visible()
        expect(found.locator("mark").first).to_be_visible()
    assert complaints == []
