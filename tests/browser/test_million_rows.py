"""A million rows, from the click to the opened file, against the stack that people run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import python_calamine
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import visiting
from tests.support.processes import api as serving
from tests.support.processes import environment
from tests.support.servers.host_app import Hosted
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.storage.config import S3Config

ROWS = 1_000_000
_DATASETS = """
import sqlalchemy as sa
from pydantic import BaseModel, Field

from waybill import Column, Principal, dataset


class CountParams(BaseModel):
    rows: int = Field(title="Rows", ge=1, le=10_000_000)


@dataset("numbers", params=CountParams, roles={"sales"}, title="Numbers", columns={
    "n": Column(label="Number"), "name": Column(label="Name"),
})
def numbers(params: CountParams, user: Principal) -> sa.Select:
    n = sa.func.generate_series(1, params.rows).column_valued("n")
    return sa.select(n, sa.literal("row").label("name"))
"""


@dataclass(frozen=True)
class Site:
    """A running installation, and the cookie of somebody who has logged in."""

    url: str
    cookie: dict[str, Any]


@pytest.fixture
def site(request: pytest.FixtureRequest, s3_config: S3Config, tmp_path: Path) -> Iterator[Site]:
    """PostgreSQL, SeaweedFS and `waybill serve` with its worker, or the host application."""
    datasets = tmp_path / "numbers.py"
    datasets.write_text(_DATASETS)
    if request.config.getoption("--host-app"):
        hosted: Hosted = request.getfixturevalue("hosted")
        # Beside the host's own.
        datasets.write_text(f"import api.exports\n{_DATASETS}")
        with hosted(tmp_path, None, datasets=datasets) as host:
            # Of a tenant of her own: the host has made an export of ann's at its start.
            yield Site(host.url, host.login("globex", "eve", ("sales",)))
        return
    settings = {"WAYBILL_DATASETS": str(datasets), "WAYBILL_LEASE_SECONDS": "4"}
    database = request.getfixturevalue("postgres_url")
    env = environment(tmp_path / "home", database, s3_config, **settings)
    with serving(env, tmp_path / "log") as client:
        token, url = client.headers["Authorization"].removeprefix("Bearer "), str(client.base_url)
        yield Site(url, {"name": SESSION_COOKIE, "value": token, "url": url})


def test_a_million_rows_are_watched_to_their_end_and_opened(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    with visiting(browser) as (page, complaints):
        page.context.add_cookies([site.cookie])
        page.goto(f"{site.url}/?type=numbers")
        page.get_by_label("Rows", exact=True).fill(str(ROWS))
        page.get_by_role("button", name="Start export").click()

        card = page.locator(".task")
        expect(card).to_contain_text("Running")
        _watch_it_grow(page)
        expect(card).to_contain_text("1,000,000 of 1,000,000 rows, as of")
        with page.expect_download() as downloading:
            card.get_by_role("link", name="Download").click()
        file = tmp_path / "numbers.xlsx"
        downloading.value.save_as(file)
        assert complaints == []

    sheet = python_calamine.CalamineWorkbook.from_path(file).get_sheet_by_index(0)
    rows = iter(sheet.iter_rows())
    assert next(rows) == ["Number", "Name"]
    assert [row[0] for row in rows] == list(range(1, ROWS + 1))


def _watch_it_grow(page: Page) -> None:
    """Progress is seen at least once between its beginning and its end."""
    text = page.locator("[data-slot=progress-text]")
    expect(text).to_have_text(re.compile(r"^[1-9][\d,]* (of [\d,]+ )?rows"))
