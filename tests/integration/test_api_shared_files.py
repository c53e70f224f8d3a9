"""Links that are mailed to a colleague, and the files that were shared with somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.layout import Column
from waybill.infra.db.tables import audit_log, notification
from waybill.infra.tasks.notifications import FILE_SHARED

BOB = "bob@acme.example"


def reader(api: TaskApi, tenant: str, email: str | None = BOB, role: str = "sales") -> Any:
    return api.client(api.token(tenant, "bob", (role,), email))


def files_of(client: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/shared-files").raise_for_status().json()["items"]
    return items


def people(**more: Any) -> Registry:
    """A dataset for two roles."""
    query = sa.select(sa.column("id"), sa.column("salary")).select_from(sa.table("people"))
    return Registry({"people": Dataset("people", lambda *_: query, roles={"sales", "hr"}, **more)})


@pytest.mark.parametrize(
    ("more", "role", "count"),
    [
        ({}, "sales", 1),
        ({"columns": {"salary": Column(roles={"hr"})}}, "hr", 1),
        ({"columns": {"salary": Column(roles={"hr"})}}, "sales", 0),
        ({"columns": {"salary": Column(mask="hide", roles={"hr"})}}, "sales", 0),
        ({"may_share": lambda maker, user: maker.roles == user.roles}, "sales", 0),
    ],
)
def test_r63_no_file_is_listed_that_its_reader_may_not_open(
    tmp_path: Path, more: dict[str, Any], role: str, count: int
) -> None:
    database = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(database, tmp_path, registry=people(**more)) as api:
        ana, bob = api.person("acme", "ana", ("hr",)), reader(api, "acme", role=role)
        task = ana.post(TASKS, json={"type": "people", "format": "csv"}).json()
        api.finish(task)
        made = ana.post(f"{TASKS}/{task['id']}/links", json={"email": BOB}).json()

        listed = [file["filename"] for file in files_of(bob)]
        click = bob.get(f"/d/{made['token']}", follow_redirects=False)

    assert listed == [task["filename"]] * count
    assert click.status_code == (302 if count else 403)


def test_a_mailed_link_is_found_by_who_logs_in_with_that_address(api: TaskApi) -> None:
    tenant = api.tenant()
    ana = api.person(tenant)
    task = ask(ana, filename="for bob")
    api.finish(task)
    links = f"{TASKS}/{task['id']}/links"

    made = ana.post(links, json={"email": "Bob@acme.example", "max_uses": 2})

    assert (made.status_code, made.json()["recipient"]) == (201, BOB)
    [file] = files_of(reader(api, tenant))
    assert (file["shared_by"], file["filename"]) == ("ana", "for bob.xlsx")
    assert made.json()["url"].endswith(file["url"])
    for other in (
        reader(api, tenant, None),
        reader(api, tenant, "eve@acme.example"),
        reader(api, tenant, role="finance"),
        reader(api, api.tenant()),
    ):
        assert files_of(other) == []
    assert reader(api, tenant).get(file["url"], follow_redirects=False).status_code == 302
    with api.engine.connect() as connection:
        mail = connection.execute(
            sa.select(notification).where(
                notification.c.tenant_id == tenant, notification.c.event == FILE_SHARED
            )
        ).one()
        details = connection.execute(
            sa.select(audit_log.c.detail).where(
                audit_log.c.tenant_id == tenant, audit_log.c.action == "share"
            )
        ).scalars()
        assert [detail["mailed_to"] for detail in details] == ["Bob@acme.example"]
    assert (mail.channel, mail.target, mail.detail["to_owner"]) == (
        "email", "Bob@acme.example", False
    )  # fmt: skip

    ana.delete(f"{links}/{made.json()['id']}").raise_for_status()
    assert files_of(reader(api, tenant)) == []


@pytest.mark.parametrize("address", ["eve@elsewhere.example", "a@b@acme.example"])
def test_an_address_that_may_not_be_mailed_makes_no_link(api: TaskApi, address: str) -> None:
    ana = api.person()
    task = ask(ana)
    api.finish(task)
    links = f"{TASKS}/{task['id']}/links"
    answer = ana.post(links, json={"email": address})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_notify")
    assert ana.get(links).json()["items"] == []
