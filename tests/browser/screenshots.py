"""Pictures of every state of the pages: ``python -m tests.browser.screenshots [NAME …]``.

Each is written to docs/images, as small as a PNG of few colours can be, for README and eyes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

import waybill.infra.sample.datasets  # noqa: F401 - declares the datasets of the pictures
from tests.browser.conftest import Visit, launch, open_visit
from tests.browser.every_kind import many_rows
from tests.browser.scenes import ROLES, busy_day, dead_letters, every_state, share
from tests.support.servers.task_api import running_api
from waybill.exporter.datasets.dataset import DECLARED, Registry
from waybill.infra.sample.fill import fill_sample

_IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESKTOP = {"viewport": {"width": 1180, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 760}, "device_scale_factor": 1.5, "has_touch": True}
DARK = {"color_scheme": "dark"}
CHINESE = {"locale": "zh-CN"}


def _sign_in(visit: Visit) -> None:
    visit.page.goto(visit.api.url)


def _empty(visit: Visit) -> None:
    visit.log_in()
    visit.page.locator("#empty").wait_for()


def _list(visit: Visit) -> None:
    every_state(visit.api, visit.tenant)
    visit.log_in()
    expect(visit.page.locator(".task")).to_have_count(8)


def _phone_list(visit: Visit) -> None:
    _list(visit)
    visit.page.locator("#list-title").evaluate("title => title.scrollIntoView()")


def _wrong_values(visit: Visit) -> None:
    every_state(visit.api, visit.tenant)
    visit.log_in()
    page = visit.page
    expect(page.locator(".task")).to_have_count(8)
    page.get_by_label("Created from").press_sequentially("12")
    page.get_by_role("button", name="Start export").click()
    page.locator(".field-problem:visible").wait_for()


def _links(visit: Visit) -> None:
    every_state(visit.api, visit.tenant)
    share(visit.api, visit.tenant, bytes(412_000))
    visit.context.grant_permissions(["clipboard-write"])
    visit.log_in()
    card = visit.page.locator(".task[data-status=SUCCESS]").first
    card.locator("[data-action=details]").click()
    card.locator("[data-action=copy]").click()
    card.locator(".links button").first.wait_for()
    card.scroll_into_view_if_needed()


def _notices(visit: Visit) -> None:
    _list(visit)
    visit.page.locator("#bell button").click()
    visit.page.locator("#bell li").first.wait_for()


def _estimate(visit: Visit) -> None:
    visit.log_in(("forms",))
    visit.page.get_by_label("Dataset", exact=True).select_option(label="Many rows")
    visit.page.locator("#estimate-better").wait_for()


def _columns(visit: Visit) -> None:
    fill_sample(visit.api.engine, 3_000)
    visit.log_in(
        path="/?type=orders&columns=id,city,customer,status,amount,created_at&sort=-amount"
    )
    page = visit.page
    page.locator("#choose").click()
    page.locator("#preview tbody tr").first.wait_for(state="attached")
    expect(page.locator("#preview-said")).to_contain_text("3,000")


def _no_match(visit: Visit) -> None:
    every_state(visit.api, visit.tenant)
    visit.log_in(path="/?q=ledger&status=FAILED")
    visit.page.locator("#no-match").wait_for()


def _offline(visit: Visit) -> None:
    _list(visit)
    visit.context.set_offline(True)
    visit.page.locator("#notice").wait_for()


def _operations(path: str) -> Callable[[Visit], None]:
    def stage(visit: Visit) -> None:
        busy_day(visit.api)
        dead_letters(visit.api)
        visit.log_in(ROLES, path)

    return stage


SCENES: dict[str, tuple[Callable[[Visit], None], dict[str, Any]]] = {
    "sign-in": (_sign_in, DESKTOP),
    "empty": (_empty, DESKTOP),
    "task-centre-light": (_list, DESKTOP),
    "task-centre-dark": (_list, DESKTOP | DARK),
    "task-centre-chinese": (_list, DESKTOP | CHINESE),
    "task-centre-phone": (_empty, PHONE),
    "task-centre-phone-dark": (_phone_list, PHONE | DARK),
    "task-centre-phone-chinese": (_phone_list, PHONE | CHINESE),
    "details": (_links, DESKTOP),
    "wrong-values": (_wrong_values, DESKTOP),
    "notices": (_notices, DESKTOP),
    "estimate": (_estimate, DESKTOP),
    "columns": (_columns, DESKTOP),
    "columns-phone-chinese": (_columns, PHONE | CHINESE),
    "no-match": (_no_match, DESKTOP),
    "offline": (_offline, DESKTOP),
    "operations": (_operations("/admin"), DESKTOP),
    "operations-dark": (_operations("/admin"), DESKTOP | DARK),
    "operations-chinese": (_operations("/admin"), DESKTOP | CHINESE),
    "operations-phone": (_operations("/admin"), PHONE),
    "all-exports": (_operations("/admin/exports"), DESKTOP),
    "dead-letters": (_operations("/admin/dead-letters"), DESKTOP),
    "audit-log": (_operations("/admin/audit-log"), DESKTOP),
}


def main(names: list[str]) -> None:
    """Take the pictures called `names`, or all of them."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name in names or SCENES:
            with TemporaryDirectory() as home:
                _take(browser, Path(home), name)
        browser.close()


def _take(browser: Browser, home: Path, name: str) -> None:
    stage, options = SCENES[name]
    registry = Registry({item.name: item for item in (*DECLARED, many_rows())})
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=registry) as api:
        visit = open_visit(browser, api, tenant="acme", **options)
        stage(visit)
        _save(visit.page, _IMAGES / f"{name}.png")
        visit.context.close()


def _save(page: Page, path: Path) -> None:
    page.screenshot(path=path, animations="disabled", caret="hide")
    print(f"{path.name}: {path.stat().st_size:,} bytes")  # noqa: T201 - a command line


if __name__ == "__main__":
    main(sys.argv[1:])
