"""Logging out here, and everywhere: on a desktop and on a phone, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import open_visit
from tests.browser.every_kind import suite_registry
from tests.browser.judge import findings
from tests.support.servers.host_app import Hosted
from tests.support.servers.task_api import TaskApi

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.fixture(scope="module")
def own_login(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TaskApi]:
    """Where people log in to Waybill itself, also if an application mounts it."""
    if not request.config.getoption("--host-app"):
        yield request.getfixturevalue("centre")
        return
    hosted: Hosted = request.getfixturevalue("hosted")
    with hosted(tmp_path_factory.mktemp("host"), suite_registry(), own_login=True) as api:
        yield api


def test_who_logs_out_is_asked_to_log_in(browser: Browser, own_login: TaskApi) -> None:
    visit = open_visit(browser, own_login)
    visit.log_in()
    visit.page.get_by_role("button", name="Log out").click()
    expect(visit.page.get_by_label("Access token")).to_be_visible()
    visit.context.close()
    assert visit.complaints == []


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("locale", "more", "button", "login"),
    [
        ("en-US", "More about your sessions", "Log out everywhere", "Log in"),
        ("zh-CN", "更多会话选项", "退出所有设备", "登录"),
    ],
)
def test_a_user_logs_out_everywhere(
    browser: Browser,
    own_login: TaskApi,
    screen: dict[str, Any],
    locale: str,
    more: str,
    button: str,
    login: str,
) -> None:
    visit = open_visit(browser, own_login, locale=locale, **screen)
    page = visit.page
    visit.log_in()
    elsewhere = visit.api.token(visit.tenant)
    everywhere = page.get_by_role("button", name=button)
    expect(everywhere).to_have_count(0)

    menu = page.locator(".more > summary")
    expect(menu).to_have_attribute("aria-label", more)
    menu.press("Enter")
    expect(everywhere).to_be_in_viewport(ratio=1)
    for scheme in ("light", "dark"):
        assert findings(page, scheme) == []
    everywhere.click()

    expect(page.get_by_role("heading", name=login)).to_be_visible()
    assert visit.api.client(elsewhere).get("/api/export-tasks").status_code == 401
    visit.context.close()
    assert visit.complaints == []
