"""Opting out of mails over HTTP, and how `notify` is judged again by retries and replays."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, running_api
from waybill.infra.broker.port import WakeUp
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task

HOOK = "https://hooks.example/services/canary"


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory):
    """The rules are of one kind on both databases."""
    home = tmp_path_factory.mktemp("opt-outs")
    with running_api(f"sqlite:///{home}/tasks.db", home) as api:
        yield api


def asked(client, **notify: object):
    body = {"type": "orders", "format": "csv", "params": {}, "notify": notify}
    return client.post(TASKS, json=body)


def link_of(api: TaskApi, address: str) -> str:
    link = api.services.mail_opt_outs.link(address)
    assert link is not None
    return link.removeprefix("https://exports.example")


def test_r40_a_link_opts_out_by_post_alone_and_without_a_login(api: TaskApi) -> None:
    anybody, client = api.client(), api.person()
    address = f"team-{api.tenant()}@acme.example"
    link = link_of(api, address)

    for _ in range(2):
        page = anybody.get(link, headers={"Accept": "text/html", "Accept-Language": "zh"})
        assert (page.status_code, "停止接收" in page.text) == (200, True)
        assert address not in page.text
    assert asked(client, email=address).status_code == 202
    # As a mail program does for its own button. (RFC 8058.)
    assert anybody.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    refused = asked(client, email=address.upper().replace("@", "+more@"))
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_notify")
    assert refused.json()["errors"][0]["pointer"] == "#/notify/email"
    # A mail to oneself is nobody else's doing.
    own = api.client(api.token(api.tenant(), email=address))
    assert asked(own, email=address).status_code == 202
    assert "Get these mails again" in anybody.get(link).text
    assert anybody.post(f"{link}/undo").status_code == 200
    assert asked(client, email=address).status_code in (200, 202)


def test_r40_what_is_no_such_link_changes_nothing(api: TaskApi) -> None:
    anybody = api.client()
    link = link_of(api, "x@acme.example")
    for path in (f"{link}A", link[:-3], "/opt-out/", "/opt-out/x"):
        for answer in (anybody.get(path), anybody.post(path), anybody.post(f"{path}/undo")):
            assert answer.status_code == 404, path
    page = anybody.get(f"{link}A", headers={"Accept": "text/html"})
    assert "Copy the whole link from the mail." in page.text


def failed_with(api: TaskApi, client, **notify: str) -> dict:
    task = asked(client, **notify).json()
    api.fail(task)
    return task


def store(api: TaskApi, task: dict, **notify: str) -> None:
    """As if the settings had allowed it when the task was made."""
    with write_transaction(api.engine) as connection:
        this = export_task.c.id == UUID(task["id"])
        connection.execute(sa.update(export_task).where(this).values(notify=notify))


def letter_of(api: TaskApi, task: dict) -> int:
    letters = api.services.dead_letters
    letters.record(WakeUp(UUID(task["id"]), 2, "dead").encode(), "orders", "x: y")
    operator = api.person(roles=(OPERATOR,))
    [letter] = [
        item
        for item in operator.get("/api/admin/dead-letters").json()["items"]
        if item["task_id"] == task["id"]
    ]
    return letter["id"]


@pytest.mark.parametrize(
    "notify",
    [
        {"email": "stranger@elsewhere.example"},
        {"webhook": "https://inside.example/hook"},
        {"webhook": "https://168.63.129.16/sealed.v1.abc"},
        {"webhook": "http://hooks.example/hook"},
    ],
)
def test_r49_targets_that_are_no_longer_allowed_stop_a_retry_and_a_replay(
    api: TaskApi, notify
) -> None:
    client, operator = api.person(), api.person(roles=(OPERATOR,))
    task = failed_with(api, client, webhook=HOOK)
    store(api, task, **notify)

    letter = letter_of(api, task)
    retry = client.post(f"{TASKS}/{task['id']}/retry")
    replay = operator.post(f"/api/admin/dead-letters/{letter}/replay")

    for answer in (retry, replay):
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_notify")
        assert answer.json()["errors"][0]["pointer"] == f"#/notify/{next(iter(notify))}"
    assert client.get(TASKS).json()["total"] == 1
    store(api, task, webhook=HOOK)
    assert operator.post(f"/api/admin/dead-letters/{letter}/replay").json()["outcome"] == "replayed"


def test_r49_a_name_without_an_address_does_not_stop_a_retry(api: TaskApi) -> None:
    client = api.person()
    task = failed_with(api, client, webhook=HOOK)
    store(api, task, webhook="https://nowhere.example/hook")
    assert client.post(f"{TASKS}/{task['id']}/retry").status_code == 201


def test_r49_ones_own_address_stays_allowed_until_it_is_another(api: TaskApi) -> None:
    tenant, address = api.tenant(), "ana@elsewhere.example"
    client = api.client(api.token(tenant, email=address))
    task = failed_with(api, client, email=address)

    moved = api.client(api.token(tenant, email="ana@new.example"))
    refused = moved.post(f"{TASKS}/{task['id']}/retry")
    replay = api.person(roles=(OPERATOR,)).post(
        f"/api/admin/dead-letters/{letter_of(api, task)}/replay"
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "bad_notify")
    # The address was the owner's own when it was given.
    assert replay.json()["outcome"] == "replayed"
    assert client.post(f"{TASKS}/{task['id']}/retry").status_code in (200, 201)


def test_r49_who_opted_out_is_not_told_by_a_retry(api: TaskApi) -> None:
    client = api.person()
    address = f"team-{api.tenant()}@acme.example"
    task = failed_with(api, client, email=address)
    api.client().post(link_of(api, address))
    refused = client.post(f"{TASKS}/{task['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_notify")
