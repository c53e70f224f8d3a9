"""Logging in in a real browser: at an identity provider, and by a login link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Browser, Visit, open_visit
from tests.browser.every_kind import suite_registry
from tests.browser.judge import findings
from tests.browser.scenes import share
from tests.support.servers.host_app import Hosted
from tests.support.servers.oidc_provider import CLIENT, CLIENT_SECRET, Provider, running_provider
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import TaskApi, running_api
from waybill.api.session.login_links import login_link
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

BUTTON = "Log in with your company account"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def company(
    request: pytest.FixtureRequest,
    provider: Provider,
    s3_config: S3Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TaskApi]:
    """A task centre where people log in at the provider; by itself, or in the host application."""
    home, registry = tmp_path_factory.mktemp("company"), suite_registry()
    settings: dict[str, Any] = {
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": CLIENT_SECRET,
        "role_map": "finance-team=sales,clerks=finance",
    }
    if request.config.getoption("--host-app"):
        hosted: Hosted = request.getfixturevalue("hosted")
        with hosted(home, registry, own_login=True, **settings) as api:
            yield api
        return
    [port], store = free_ports(1), S3Store(s3_config)
    settings |= {"public_url": f"http://127.0.0.1:{port}"}
    url = f"sqlite:///{home}/tasks.db"
    with running_api(url, home, port=port, store=store, registry=registry, **settings) as api:
        yield api
    store.close()


@pytest.fixture
def person(
    browser: Browser, company: TaskApi, provider: Provider
) -> Iterator[Callable[..., Visit]]:
    """Somebody with an account at the provider, in a tenant of their own."""
    opened: list[Visit] = []

    def open_one(**options: Any) -> Visit:
        visit = open_visit(browser, company, **options)
        opened.append(visit)
        claims = {"tenant": visit.tenant, "roles": ["finance-team", "clerks"]}
        provider.set(fault="", claims=claims, userinfo={"sub": "ann"})
        return visit

    yield open_one
    for visit in opened:
        visit.context.close()


def at_the_provider(page: Page, button: str = "Continue") -> None:
    expect(page.get_by_role("heading", name="Acme accounts")).to_be_visible()
    page.get_by_label("User").fill("ann")
    page.get_by_role("button", name=button).click()


def test_a_link_to_a_form_leads_through_the_login_to_the_form_filled_in(
    person: Callable[..., Visit],
) -> None:
    visit = person()
    page = visit.page
    page.goto(visit.api.url + "/?type=orders&city=Rome")
    expect(page.get_by_label("Access token")).to_be_hidden()

    page.get_by_role("link", name=BUTTON).click()
    at_the_provider(page)

    expect(page.get_by_label("Dataset", exact=True)).to_have_value("orders")
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_have_count(1)
    assert visit.complaints == []


def test_a_share_link_leads_through_the_login_to_the_file(person: Callable[..., Visit]) -> None:
    visit = person()
    page = visit.page
    _, path = share(visit.api, visit.tenant, b"id\n1\n")
    page.goto(visit.api.url + path)
    # The page that asks for the login is a 401, which the console reports.
    visit.complaints.clear()

    page.get_by_role("link", name=BUTTON).click()
    with page.expect_download() as download:
        at_the_provider(page)

    assert download.value.path().read_bytes() == b"id\n1\n"
    assert visit.complaints == []


def test_somebody_who_cancels_is_told_so_and_may_try_again(person: Callable[..., Visit]) -> None:
    visit = person()
    page = visit.page
    page.goto(visit.api.url + "/?type=orders&city=Rome")
    page.get_by_role("link", name=BUTTON).click()
    at_the_provider(page, "Cancel")

    expect(page.get_by_role("alert")).to_have_text("The login was cancelled.")
    page.get_by_role("link", name=BUTTON).click()
    at_the_provider(page)
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")


def test_logging_out_logs_out_of_the_company_account_too(person: Callable[..., Visit]) -> None:
    visit = person()
    page = visit.page
    page.goto(visit.api.url)
    page.get_by_role("link", name=BUTTON).click()
    at_the_provider(page)
    expect(page.get_by_role("heading", name="My exports")).to_be_visible()

    page.get_by_role("button", name=re.compile("Log out", re.IGNORECASE)).first.click()

    expect(page.get_by_role("heading", name="Bye")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    assert visit.complaints == []


@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize(("locale", "text"), [("en-US", BUTTON), ("zh-CN", "使用企业账号登录")])
def test_everybody_can_use_the_login_page(
    person: Callable[..., Visit], width: int, locale: str, text: str
) -> None:
    visit = person(locale=locale, viewport={"width": width, "height": 800})
    page = visit.page
    page.goto(visit.api.url + "/session/oidc/callback?state=x")

    expect(page.get_by_role("link", name=text)).to_be_visible()
    expect(page.get_by_role("alert")).to_be_visible()
    assert findings(page, "light") + findings(page, "dark") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def _open_link(visit: Visit, query: str = "") -> None:
    link = login_link(visit.api.services.settings, visit.api.url, "ana", visit.tenant, {"sales"})
    visit.page.goto(link.replace("/session#", f"/session{query}#"))


def test_a_login_link_logs_in_once_and_is_not_left_in_the_address(visit: Visit) -> None:
    page = visit.page
    _open_link(visit)
    expect(page.get_by_text("You have opened a login link.")).to_be_visible()
    assert "ticket" not in page.url
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="My exports")).to_be_visible()


def test_a_login_link_may_lead_to_a_form_filled_in(visit: Visit) -> None:
    _open_link(visit, "?next=%2F%3Ftype%3Dorders%26city%3DRome")
    visit.page.get_by_role("button", name="Log in").click()
    expect(visit.page.locator("[data-param=city]:visible")).to_have_value("Rome")


def test_a_login_link_may_lead_to_a_shared_file(browser: Browser, filed: TaskApi) -> None:
    visit = open_visit(browser, filed)
    _, path = share(filed, visit.tenant, b"id\n1\n")
    _open_link(visit, f"?next={quote(path, safe='')}")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Log in").click()
    assert download.value.path().read_bytes() == b"id\n1\n"
    # The page that asks for the login is a 401.
    visit.forgive("401")
    assert visit.unforgiven == []
    visit.context.close()


def test_a_login_link_works_where_people_log_in_at_a_provider(
    person: Callable[..., Visit],
) -> None:
    visit = person()
    _open_link(visit, "?next=%2F%3Ftype%3Dorders%26city%3DRome")
    expect(visit.page.get_by_role("link", name=BUTTON)).to_be_hidden()
    visit.page.get_by_role("button", name="Log in").click()
    # The role is the provider's, as in a token.
    expect(visit.page.get_by_role("heading", name="My exports")).to_be_visible()


def test_a_pasted_token_leads_to_the_form_filled_in(visit: Visit) -> None:
    page = visit.page
    page.goto(visit.api.url + "/?type=orders&city=Rome")
    page.get_by_label("Access token").fill(visit.api.token(visit.tenant))
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
