"""Login links: a ticket is exchanged for a session, once, within minutes, by a person's click."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from tests.support.servers.task_api import TASKS, TaskApi
from waybill.api.session.development_tokens import mint
from waybill.api.session.login_links import login_link
from waybill.api.session.token_purpose import TICKET_TYPE
from waybill.infra.tasks.queries.scope import ALL_TENANTS


def link_of(api: TaskApi, tenant: str) -> str:
    return login_link(api.services.settings, api.url, "ana", tenant, {"sales"})


def redeem(api: TaskApi, text: str, **form: str) -> httpx2.Response:
    data = {"token": text} | form
    return api.client().post("/session", data=data, headers={"Origin": api.url})


def test_r55_a_login_link_makes_one_session(api: TaskApi) -> None:
    tenant = api.tenant()
    link = link_of(api, tenant)
    ticket = link.partition("#ticket=")[2]
    # Opening the page, as programs that preview links do, uses nothing up.
    page = api.client().get("/session")
    assert (page.status_code, ticket in page.text) == (200, False)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: redeem(api, link), range(4)))

    assert sorted(answer.status_code for answer in answers) == [303, 401, 401, 401]
    [session] = [answer for answer in answers if answer.status_code == 303]
    assert ticket not in session.headers["set-cookie"]
    [cookie] = session.cookies.values()
    assert api.client(cookies=dict(session.cookies)).get(TASKS).status_code == 200
    # What a cookie holds is no token for a program.
    assert api.client(cookie).get(TASKS).status_code == 401
    [entry] = api.services.admin_queries.audit(ALL_TENANTS, tenant=tenant, action="session_begin")
    assert entry.actor == "ana"


def test_r55_a_ticket_is_no_token_and_a_token_no_ticket(api: TaskApi) -> None:
    tenant = api.tenant()
    ticket = link_of(api, tenant).partition("#ticket=")[2]

    assert api.client(ticket).get(TASKS).status_code == 401
    assert redeem(api, ticket).status_code == 303


@pytest.mark.parametrize("life", [timedelta(minutes=6), timedelta(minutes=-1)])
def test_r55_a_ticket_lives_for_minutes(api: TaskApi, life: timedelta) -> None:
    settings = api.services.settings
    ticket = mint(settings, "ana", api.tenant(), set(), life, header_type=TICKET_TYPE)

    answer = redeem(api, ticket)

    assert (answer.status_code, "used or has expired" in answer.text) == (401, True)
    assert ticket not in answer.text


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_r55_a_login_link_leads_to_no_other_site(api: TaskApi, after: str) -> None:
    answer = redeem(api, link_of(api, api.tenant()), next=after)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
