"""Every kind of field sends what its model understands, and says what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect
from pydantic import BaseModel, Field

from exporter.datasets import Dataset, Registry
from tests.browser.conftest import Visit, open_visit
from tests.servers.task_api import running_api, sample_registry


class City(StrEnum):
    ROME = "Rome"
    OSLO = "Oslo"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class EveryKind(BaseModel):
    name: str
    exact: int = 7
    ratio: float = 0.5
    active: bool = True
    checked: bool | None = None
    day: date | None = None
    moment: datetime | None = None
    city: City | None = City.ROME
    level: Level = Level.LOW
    levels: list[Level] = Field(default=[Level.LOW])
    tags: list[str] = []
    extra: dict[str, int] = {}
    note: str | None = "from the model"


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """A visit of somebody who may export every kind of parameter, its form open."""

    def build(params: BaseModel, user: object) -> sa.Select[Any]:
        return sa.select(sa.literal(1))

    registry: Registry = sample_registry()
    registry.add(Dataset("every_kind", build, params=EveryKind, title="Every kind"))
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(url, tmp_path, registry=registry) as api:
        visit = open_visit(browser, api, timezone_id="Asia/Shanghai")
        visit.log_in()
        visit.page.get_by_label("What").select_option(label="Every kind")
        yield visit
        visit.context.close()


def submitted(visit: Visit) -> dict[str, Any]:
    """Start the export; the parameters that arrived."""
    visit.page.get_by_role("button", name="Start export").click()
    expect(visit.page.locator(".task")).to_have_count(1)
    params: dict[str, Any] = visit.tasks()[0]["params"]
    return params


def control(page: Page, name: str) -> Any:
    return page.locator(f"[data-param={name}]:visible")


def test_an_untouched_form_sends_the_defaults_of_the_model(visit: Visit) -> None:
    control(visit.page, "name").fill("ana")

    params = submitted(visit)

    assert params == EveryKind(name="ana").model_dump(mode="json")
    assert visit.complaints == []


def test_every_kind_of_value_arrives_as_it_was_meant(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("  ana  ")
    control(page, "exact").fill("9007199254740993")
    control(page, "ratio").fill("-2.25")
    control(page, "active").uncheck()
    control(page, "checked").select_option(label="No")
    control(page, "day").fill("2026-03-01")
    control(page, "moment").fill("2026-03-01T08:30:00")
    control(page, "city").select_option(label="Any")
    control(page, "level").select_option(label="2")
    page.get_by_role("checkbox", name="2").check()
    control(page, "tags").fill("one\n\n two \n")
    control(page, "extra").fill('{"a": 1}')
    control(page, "note").fill("")

    assert submitted(visit) == {
        "name": "ana",
        # One more than a JavaScript number can tell apart.
        "exact": 9007199254740993,
        "ratio": -2.25,
        "active": False,
        "checked": False,
        "day": "2026-03-01",
        # Half past eight in Shanghai.
        "moment": "2026-03-01T00:30:00Z",
        "city": None,
        "level": 2,
        "levels": [1, 2],
        "tags": ["one", "two"],
        "extra": {"a": 1},
        "note": None,
    }
    assert visit.complaints == []


def test_what_the_browser_cannot_read_is_not_sent(visit: Visit) -> None:
    page = visit.page
    control(page, "name").fill("ana")
    control(page, "extra").fill('{"a": ')
    control(page, "day").press_sequentially("12")

    page.get_by_role("button", name="Start export").click()

    expect(page.get_by_text("This is not valid JSON")).to_be_visible()
    expect(page.get_by_text("This is not a complete value")).to_be_visible()
    assert visit.tasks() == []
    assert visit.complaints == []


def test_a_missing_value_is_named_and_every_error_stands_by_its_field(visit: Visit) -> None:
    page = visit.page
    control(page, "exact").fill("seven")
    control(page, "extra").fill('{"a": "x"}')

    page.get_by_role("button", name="Start export").click()

    problems = page.locator(".field-problem:visible")
    expect(problems).to_have_count(3)
    expect(page.locator(".field").filter(has=control(page, "name"))).to_contain_text(
        "Field required"
    )
    expect(page.locator(".field").filter(has=control(page, "extra"))).to_contain_text(
        "valid integer"
    )
    expect(control(page, "name")).to_be_focused()


def test_another_dataset_brings_another_form(visit: Visit) -> None:
    page = visit.page
    expect(control(page, "exact")).to_be_visible()

    page.get_by_label("What").select_option(label="Orders")

    expect(control(page, "exact")).to_have_count(0)
    expect(page.get_by_label("At least")).to_be_visible()
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_contain_text("Orders · Excel")
