"""The button that ends all sessions of a user, on a desktop and on a phone, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings

pytestmark = pytest.mark.own_server

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("locale", "more", "button", "login"),
    [
        ("en-US", "More about your sessions", "Log out everywhere", "Log in"),
        ("zh-CN", "更多会话选项", "退出所有设备", "登录"),
    ],
)
def test_a_user_logs_out_everywhere(
    visits: Callable[..., Visit],
    screen: dict[str, Any],
    locale: str,
    more: str,
    button: str,
    login: str,
) -> None:
    visit = visits(locale=locale, **screen)
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
