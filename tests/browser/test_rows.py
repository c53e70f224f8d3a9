"""The rows of the list: what differs is seen, and what can be done with one or with many."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TaskApi, ask
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.model import TaskProgress


def test_two_exports_of_one_dataset_are_told_apart(visit: Visit, centre: TaskApi) -> None:
    client = centre.person(visit.tenant)
    for params in ({"city": "Rome", "status": "paid"}, {"city": "Oslo"}, {}):
        ask(client, params=params)
    visit.log_in()

    rows = visit.page.locator(".task")
    expect(rows).to_have_count(3)
    today = datetime.now(UTC).date()
    assert visit.page.locator(".task h3").all_text_contents() == [
        f"orders-{today}.xlsx",
        f"orders-{today}-Oslo.xlsx",
        f"orders-{today}-Rome-paid.xlsx",
    ]
    assert [row.locator(".filter-chip").all_text_contents() for row in rows.all()] == [
        [],
        ["City: Oslo"],
        ["City: Rome", "Status: paid"],
    ]


@pytest.mark.parametrize(
    ("locale", "badge", "says"),
    [
        ("en-US", "No rows", "No row matched the filters"),
        ("zh-CN", "无数据", "没有符合条件的数据"),
    ],
)
def test_a_file_without_rows_is_amber_and_says_so(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, badge: str, says: str
) -> None:
    visit = visits(locale=locale)
    centre.finish(ask(centre.person(visit.tenant), params={"city": "rome"}), rows=0)
    visit.log_in()

    row = visit.page.locator(".task")
    expect(row.locator(".badge")).to_have_text(badge)
    expect(row).to_contain_text(says)
    good = row.evaluate("() => getComputedStyle(document.body).getPropertyValue('--good')")
    assert row.locator(".proof").evaluate("one => getComputedStyle(one).color") != good
    expect(row).to_have_attribute("data-status", "EMPTY")


def test_the_names_of_buttons_say_which_export_they_are_for(visit: Visit, centre: TaskApi) -> None:
    client = centre.person(visit.tenant)
    for name in ("one", "two"):
        centre.finish(ask(client, filename=name, params={"city": name}))
    visit.log_in()
    page = visit.page

    for name in ("one.xlsx", "two.xlsx"):
        expect(page.get_by_role("link", name=f"Download {name}", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name=f"Details {name}", exact=True)).to_be_visible()
        expect(page.get_by_role("checkbox", name=f"Select {name}", exact=True)).to_be_visible()


def test_moments_are_exact_with_their_zone_on_hover(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    visit = visits(timezone_id="Asia/Shanghai")
    task = ask(centre.person(visit.tenant))
    centre.finish(task)
    values = {"created_at": datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)}
    with centre.engine.begin() as connection:
        which = export_task.c.id == UUID(task["id"])
        connection.execute(sa.update(export_task).where(which).values(values))
    visit.log_in()

    times = visit.page.locator(".task time")
    expect(times.first).to_have_attribute("title", "Mar 1, 2026, 20:00:05 GMT+8")
    assert all("GMT+8" in (one.get_attribute("title") or "") for one in times.all())
    assert times.count() >= 3


def test_the_total_is_there_from_the_first_second_and_the_time_left_does_not_jump(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    task = ask(centre.person(visit.tenant))
    claim = centre.begin(task, TaskProgress(0, None, 0, None))
    which = export_task.c.id == UUID(task["id"])
    start = {"started_at": datetime.now(UTC), "predicted_rows": 1_200_000, "predicted_seconds": 60}
    with centre.engine.begin() as connection:
        connection.execute(sa.update(export_task).where(which).values(start))
    visit.log_in()

    row = page.locator(".task")
    expect(row).to_contain_text("0 of about 1,200,000 rows")
    expect(row).to_contain_text("left")
    left = """() => {
      const [, time, unit] = document.querySelector('[data-slot=progress-text]').textContent
        .match(/about (\\d+) (sec|min)/);
      return [Date.now() / 1000, Number(time) * (unit === 'min' ? 60 : 1)];
    }"""
    seen = [page.evaluate(left)]
    # The first rows come late: their pace alone says ten minutes.
    with centre.engine.begin() as connection:
        late = {"started_at": datetime.now(UTC) - timedelta(seconds=12)}
        connection.execute(sa.update(export_task).where(which).values(late))
    for rows in (20_000, 60_000, 90_000):
        centre.runs.heartbeat(claim, TaskProgress(rows, 1_200_000, 1_000_000, None))
        expect(row).to_contain_text(f"{rows:,} of 1,200,000 rows")
        seen.append(page.evaluate(left))

    for (then, before), (now, after) in pairwise(seen):
        # Shown seconds are rounded up.
        assert abs(after - before) <= 2 * (now - then) + 2, seen


@pytest.mark.parametrize(
    ("locale", "says"), [("en-US", "Number 2 in the queue"), ("zh-CN", "排在第 2 位")]
)
def test_a_waiting_export_knows_its_place(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, says: str
) -> None:
    visit = visits(locale=locale)
    client = centre.person(visit.tenant)
    tasks = [ask(client, params={"city": city}) for city in ("Rome", "Oslo")]
    with centre.engine.begin() as connection:
        for task in tasks:
            which = export_task.c.id == UUID(task["id"])
            queue = {"queue": f"of {visit.tenant}"}
            connection.execute(sa.update(export_task).where(which).values(queue))
    visit.log_in()

    expect(visit.page.locator(".task").first).to_contain_text(says)


def test_several_are_cancelled_and_deleted_in_a_few_clicks(visit: Visit, centre: TaskApi) -> None:
    page, client = visit.page, centre.person(visit.tenant)
    for number in range(12):
        ask(
            client,
            params={"at_least": number},
            filename=f"{'old' if number < 10 else 'new'} {number}",
        )
    visit.log_in()
    page.get_by_role("searchbox").fill("old")
    expect(page.locator(".task")).to_have_count(10)

    page.get_by_label("Select all").check()
    expect(page.locator("#bulk-count")).to_have_text("10 selected")
    expect(page.locator("[data-bulk=download]")).to_be_disabled()
    page.locator("[data-bulk=cancel]").click()
    expect(page.get_by_role("status").filter(has_text="10 exports cancelled")).to_be_visible()
    expect(page.locator('.task[data-status="CANCELLED"]')).to_have_count(10)

    page.get_by_label("Select all").check()
    page.locator("[data-bulk=delete]").click()
    assert len(visit.tasks()) == 12
    page.get_by_role("button", name="Confirm deletion").click()
    expect(page.get_by_role("status").filter(has_text="10 exports deleted")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".task h3")).to_have_text(["new 11.xlsx", "new 10.xlsx"])


def test_links_to_several_files_are_saved_in_one_list(
    visit: Visit, centre: TaskApi, tmp_path: Path
) -> None:
    page, client = visit.page, centre.person(visit.tenant)
    for name in ("one", "two"):
        centre.finish(ask(client, filename=name, params={"city": name}))
    ask(client, filename="three", params={"city": "three"})
    visit.log_in()
    page.get_by_label("Select all").check()

    with page.expect_download() as downloading:
        page.locator("[data-bulk=links]").click()

    assert downloading.value.suggested_filename == "waybill-links.json"
    downloading.value.save_as(tmp_path / "links.json")
    files = json.loads((tmp_path / "links.json").read_text())["files"]
    assert {file["name"] for file in files} == {"one.xlsx", "two.xlsx"}
    # A store in memory, or the one that the host application writes to.
    signed = re.compile(r"memory://|http://127\.0\.0\.1:\d+/host-")
    assert all(signed.match(file["url"]) and file["sha256"] for file in files)


@pytest.mark.parametrize(
    ("locale", "sort", "largest"),
    [("en-US", "Sort by", "Largest first"), ("zh-CN", "排序", "最大优先")],
)
def test_the_list_is_sorted_and_searched_and_the_address_says_how(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, sort: str, largest: str
) -> None:
    visit = visits(locale=locale)
    page, client = visit.page, centre.person(visit.tenant)
    for number, name in enumerate(("b", "a", "c")):
        task = ask(client, filename=name, params={"city": f"city {name}"})
        centre.finish(task)
        with centre.engine.begin() as connection:
            which = export_task.c.id == UUID(task["id"])
            connection.execute(sa.update(export_task).where(which).values(size_bytes=number + 1))
    visit.log_in()
    names = page.locator(".task h3")
    expect(names).to_have_text(["c.xlsx", "a.xlsx", "b.xlsx"])

    page.get_by_label(sort).select_option("filename")
    expect(names).to_have_text(["a.xlsx", "b.xlsx", "c.xlsx"])
    expect(page).to_have_url(visit.api.url + "/?sort=filename")
    page.get_by_label(sort).select_option(label=largest)
    expect(names).to_have_text(["c.xlsx", "a.xlsx", "b.xlsx"])
    page.get_by_role("searchbox").fill("CITY a")
    expect(names).to_have_text(["a.xlsx"])
    page.reload()
    expect(names).to_have_text(["a.xlsx"])


def test_a_notice_leads_to_its_export(visit: Visit, centre: TaskApi) -> None:
    page, client = visit.page, centre.person(visit.tenant)
    task = ask(client, filename="mine")
    ask(client, filename="other", params={"at_least": 1})
    visit.log_in()
    expect(page.locator(".task")).to_have_count(2)
    centre.finish(task)

    page.get_by_role("link", name="Show: mine.xlsx").click()

    expect(page.locator(".task h3")).to_have_text(["mine.xlsx"])
    expect(page).to_have_url(f"{visit.api.url}/?task={task['id']}")
    expect(page.locator(".task dl")).to_be_visible()
    page.get_by_role("button", name="Show all exports").click()
    expect(page.locator(".task")).to_have_count(2)
    # As the link in a mail does.
    page.goto(f"{visit.api.url}/?task={task['id']}")
    expect(page.locator(".task h3")).to_have_text(["mine.xlsx"])
    page.goto(f"{visit.api.url}/?task=nonsense")
    expect(page.get_by_text("No matching exports")).to_be_visible()
    visit.forgive("status of 40")


def test_a_keyboard_is_enough_to_select_sort_and_run_again(visit: Visit, centre: TaskApi) -> None:
    page, client = visit.page, centre.person(visit.tenant)
    for name in ("b", "a"):
        centre.finish(ask(client, filename=name, params={"city": name}))
    visit.log_in()
    expect(page.locator(".task")).to_have_count(2)

    def tab_to(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(selector)

    page.get_by_role("searchbox").focus()
    tab_to("[name=sort]")
    page.keyboard.type("By name")
    expect(page.locator(".task h3")).to_have_text(["a.xlsx", "b.xlsx"])
    tab_to("#pick-all")
    page.keyboard.press("Space")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    tab_to("[data-bulk=clear]")
    page.keyboard.press("Enter")
    expect(page.locator("#bulk")).to_be_hidden()
    page.locator("#density").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#tasks")).to_have_class("card compact")
    tab_to("[data-action=again]")
    page.keyboard.press("Enter")
    expect(page.locator(".task")).to_have_count(3)


def test_density_is_remembered(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()
    tall = page.locator(".task").bounding_box()
    page.get_by_role("button", name="Compact").click()
    page.reload()
    expect(page.get_by_role("button", name="Compact")).to_have_attribute("aria-pressed", "true")
    low = page.locator(".task").bounding_box()

    assert tall
    assert low
    assert low["height"] < tall["height"]
