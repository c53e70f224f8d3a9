"""A real browser, and a page that reports everything it complains about."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.browser.every_kind import suite_registry
from tests.support.living_worker import living_worker
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import TaskApi, running_api
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

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
    # A host that is no secure context, as in a company's network without certificates.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
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
    forgiven: list[str] = field(default_factory=list)

    def log_in(self, roles: tuple[str, ...] = ("sales",), path: str = "/") -> None:
        """Log in as ana, and open a page."""
        self.context.add_cookies([self.api.login(self.tenant, "ana", roles)])
        self.page.goto(self.api.url + path)

    def listen(self, page: Page) -> None:
        """Note what `page` complains about."""
        listen(page, self.complaints)

    def forgive(self, part: str) -> None:
        """Chromium reports every refused request as an error; these were provoked."""
        assert any(part in text for text in self.complaints), self.complaints
        self.forgiven.append(part)

    @property
    def unforgiven(self) -> list[str]:
        """What is left to complain about."""
        return [text for text in self.complaints if not any(part in text for part in self.forgiven)]

    def tasks(self) -> list[dict[str, Any]]:
        """What the API lists for ana."""
        items: list[dict[str, Any]] = (
            self.api.person(self.tenant).get("/api/export-tasks").json()["items"]
        )
        return items


def listen(page: Page, complaints: list[str]) -> None:
    """Note what `page` complains about."""

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.set_default_timeout(15_000)
    page.add_init_script(_REPORT_VIOLATIONS)
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for the tests of this package.

    Playwright keeps an event loop running in this thread while it lives, and the tests of other
    packages bring their own.
    """
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    """Start Chromium without its windows, which takes two thirds of the processor time."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("No chromium in PATH. Run `make test`, which installs it.")
    return playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)


@contextmanager
def visiting(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page in a fresh profile, and what it complains about; for any server."""
    context = browser.new_context(locale="en-US", timezone_id="UTC", ignore_https_errors=True)
    page = context.new_page()
    complaints: list[str] = []
    listen(page, complaints)
    yield page, complaints
    context.close()


def open_visit(browser: Browser, api: TaskApi, tenant: str | None = None, **options: Any) -> Visit:
    """A fresh browser profile; nothing of another test is in it."""
    defaults = {"locale": "en-US", "timezone_id": "UTC", "ignore_https_errors": True}
    context = browser.new_context(**(defaults | options))
    page = context.new_page()
    visit = Visit(api, page, context, tenant or api.tenant())
    visit.listen(page)
    return visit


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the host application everything but what says why it cannot run there."""
    if config.getoption("--host-app"):
        for item in items:
            if own := item.get_closest_marker("own_server"):
                [reason] = own.args
                item.add_marker(pytest.mark.skip(reason=f"not in the host application: {reason}"))


@pytest.fixture(scope="package")
def centre(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TaskApi]:
    """One task centre for all tests; each has a tenant of its own."""
    home, registry = tmp_path_factory.mktemp("centre"), suite_registry()
    with ExitStack() as stack:
        if request.config.getoption("--host-app"):
            hosted = request.getfixturevalue("hosted")
            api = stack.enter_context(hosted(home, registry))
        else:
            url = f"sqlite:///{home}/tasks.db"
            api = stack.enter_context(running_api(url, home, registry=registry))
        stack.enter_context(living_worker(api.engine, registry.queues))
        yield api


@pytest.fixture(scope="package")
def filed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, s3_config: S3Config
) -> Iterator[TaskApi]:
    """A task centre whose files browsers can download, and that a page elsewhere may embed."""
    if request.config.getoption("--host-app"):
        yield request.getfixturevalue("centre")
        return
    home, store, [port] = tmp_path_factory.mktemp("filed"), S3Store(s3_config), free_ports(1)
    url, origin = f"sqlite:///{home}/tasks.db", f"http://127.0.0.1:{port}"
    registry = suite_registry()
    with running_api(url, home, store=store, registry=registry, embed_origins=origin) as api:
        yield api
    store.close()


@pytest.fixture
def visits(browser: Browser, centre: TaskApi) -> Iterator[Callable[..., Visit]]:
    """Opens visits that must end without a complaint; a test forgives those it provoked."""
    opened: list[Visit] = []

    def open_one(**options: Any) -> Visit:
        opened.append(open_visit(browser, centre, **options))
        return opened[-1]

    yield open_one
    for visit in opened:
        visit.context.close()
    assert [visit.unforgiven for visit in opened if visit.unforgiven] == []


@pytest.fixture
def visit(visits: Callable[..., Visit]) -> Visit:
    """One visit, on a desktop, in English."""
    return visits()
