"""A real browser, and a page that reports everything it complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.servers.task_api import TaskApi, running_api

# The page looks again after 15 s at the latest; on a busy machine that takes a little more.
expect.set_options(timeout=30_000)

#: Offline and quiet: a browser under test has nobody to talk to but the page.
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Visit:
    """One person's browser window on a task centre."""

    api: TaskApi
    page: Page
    context: BrowserContext
    tenant: str
    complaints: list[str] = field(default_factory=list)

    def log_in(self, roles: tuple[str, ...] = ("sales",)) -> None:
        """Open the page and log in as ana."""
        self.page.goto(self.api.url)
        self.page.get_by_label("Access token").fill(self.api.token(self.tenant, "ana", roles))
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="My exports").wait_for()

    def tasks(self) -> list[dict[str, Any]]:
        """What the API lists for ana."""
        items: list[dict[str, Any]] = (
            self.api.person(self.tenant).get("/api/export-tasks").json()["items"]
        )
        return items


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for the tests of this package.

    Playwright keeps an event loop running in this thread while it lives, and the tests of other
    packages bring their own.
    """
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("No chromium in PATH. Run `make test`, which installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


def open_visit(browser: Browser, api: TaskApi, **options: Any) -> Visit:
    """A fresh browser profile; nothing of another test is in it."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.add_init_script(_REPORT_VIOLATIONS)
    visit = Visit(api, page, context, api.tenant())
    page.on(
        "console",
        lambda message: visit.complaints.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    return visit


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[TaskApi]:
    """A task centre of its own for one test."""
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        yield api


@pytest.fixture
def visit(browser: Browser, centre: TaskApi) -> Iterator[Visit]:
    """A visit that must end without a complaint; a test takes out those it provoked."""
    visit = open_visit(browser, centre)
    yield visit
    visit.context.close()
    assert visit.complaints == []
