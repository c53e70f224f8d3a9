"""The list stays true where the event stream does not: held back, half open, or in a tab asleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Visit
from tests.support.eventually import wait_for
from tests.support.servers.http_proxy import HttpProxy, proxied
from tests.support.servers.task_api import TASKS, TaskApi, ask

#: Resolved to this machine by the browser of the tests. Not a secure context: no Web Locks.
INTRANET = "intranet.test"


@pytest.fixture
def proxy(centre: TaskApi, tmp_path: Path) -> Iterator[HttpProxy]:
    """A reverse proxy before the task centre."""
    with (
        proxied(centre.inner_url) as proxy,
        centre.found_by_browsers(proxy.url, tmp_path) as address,
    ):
        proxy.url = address
        yield proxy


@pytest.fixture
def fast_heartbeats(centre: TaskApi) -> Iterator[None]:
    """A page knows the interval from the first heartbeat that it hears."""
    with centre.heartbeats_every(0.5):
        yield


def log_in_at(visit: Visit, address: str) -> None:
    """Log in as ana, where a proxy or another name serves the page."""
    cookie = visit.api.login(visit.tenant, "ana", ("sales",))
    visit.context.add_cookies([cookie | {"url": address}])
    visit.page.goto(address)


def hears(visit: Visit, *pages: Page) -> None:
    """Each page shows an export that is asked for elsewhere, long before it would poll again."""
    name = f"elsewhere-{len(visit.tasks())}"
    ask(visit.api.person(visit.tenant), filename=name)
    for page in pages:
        expect(page.locator(".task h3").first).to_have_text(f"{name}.xlsx")


def two_tabs(visit: Visit) -> tuple[Page, Page]:
    """The tab that listens to the server, and one that it forwards events to."""
    first, second = visit.page, visit.context.new_page()
    visit.listen(second)
    visit.log_in()
    hears(visit, first)
    second.goto(visit.api.url)
    hears(visit, second)
    return first, second


def test_fc52_a_stream_that_a_proxy_holds_back_is_not_waited_for(
    proxy: HttpProxy, visit: Visit, centre: TaskApi
) -> None:
    proxy.hold_streams = True
    log_in_at(visit, proxy.url)
    page = visit.page
    expect(page.locator("#empty")).to_be_visible()
    wait_for(lambda: centre.open_streams() == 1)

    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_contain_text("Queued")
    [task] = visit.tasks()
    centre.finish(task)

    expect(page.locator(".task")).to_contain_text("Ready")


def test_fc54_a_stream_that_has_gone_silent_is_opened_again(
    proxy: HttpProxy, visit: Visit, centre: TaskApi, fast_heartbeats: None
) -> None:
    log_in_at(visit, proxy.url)
    hears(visit, visit.page)

    proxy.lose_streams()

    hears(visit, visit.page)
    wait_for(lambda: centre.open_streams() == 1)


@contextmanager
def asleep(context: BrowserContext, page: Page) -> Iterator[None]:
    """Stop the scripts of a tab: headless Chromium freezes none."""
    session = context.new_cdp_session(page)
    session.send("Debugger.enable")
    session.send("Debugger.pause")
    try:
        yield
    finally:
        session.send("Debugger.disable")
        session.detach()


def test_fc53_a_tab_takes_over_from_one_that_sleeps(
    visit: Visit, centre: TaskApi, fast_heartbeats: None
) -> None:
    first, second = two_tabs(visit)
    hears(visit, first, second)
    assert centre.open_streams() == 1

    with asleep(visit.context, first):
        hears(visit, second)
        second.get_by_role("button", name="Cancel").first.click()
        expect(second.locator(".task").first).to_contain_text("Cancelled")

    # Awake again, it knows its successor, and the server holds one stream for both.
    expect(first.locator(".task").first).to_contain_text("Cancelled")
    wait_for(lambda: centre.open_streams() == 1)
    hears(visit, first, second)


def test_fc53_what_a_person_does_beside_a_sleeping_tab_is_seen_at_once(
    visit: Visit, centre: TaskApi
) -> None:
    """Long before two heartbeats are over: 33 s, and an expectation ends after 30 s."""
    first, second = two_tabs(visit)

    with asleep(visit.context, first):
        second.get_by_role("button", name="Start export").click()
        expect(second.locator(".task")).to_have_count(3)
        # The equal exports share the run of the first one.
        [*_, task] = visit.tasks()
        centre.finish(task)
        expect(second.locator(".task").first).to_contain_text("Ready")


def test_when_the_listening_tab_is_closed_another_listens(visit: Visit, centre: TaskApi) -> None:
    first, second = two_tabs(visit)

    first.close()

    hears(visit, second)
    wait_for(lambda: centre.open_streams() == 1)


@pytest.mark.own_server("the host application has TLS only")
def test_fc55_over_plain_http_the_eighth_tab_loads_and_hears(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    visit = visits()
    address = centre.url.replace("127.0.0.1", INTRANET)
    log_in_at(visit, address)
    assert visit.page.evaluate("!navigator.locks && !isSecureContext")
    pages = [visit.page]
    for _ in range(7):
        page = visit.context.new_page()
        visit.listen(page)
        page.goto(address)
        expect(page.locator("#empty")).to_be_visible()
        pages.append(page)

    visit.page.bring_to_front()
    visit.page.get_by_role("button", name="Start export").click()

    for page in pages:
        expect(page.locator(".task")).to_contain_text("Queued")
    wait_for(lambda: centre.open_streams() == 1)
    assert len(visit.tasks()) == 1
    client = centre.person(visit.tenant)
    client.post(f"{TASKS}/{visit.tasks()[0]['id']}/cancel")
    for page in pages:
        expect(page.locator(".task")).to_contain_text("Cancelled")
    # Chromium says so of every page over plain HTTP.
    visit.forgive("Cross-Origin-Opener-Policy")
