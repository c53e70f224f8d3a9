"""Sharing a run and reusing a file over HTTP, and who does not share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, running_api
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.errors import PermissionDenied
from waybill.infra.tasks.model import TaskProgress

orders = sa.table("orders", sa.column("id"), sa.column("region"))


def by_region(params, user):
    """Each sees the regions of their roles."""
    regions = sorted(user.roles & {"north", "south"})
    if not regions:
        raise PermissionDenied("You see no region.")
    return sa.select(orders).where(orders.c.region.in_(regions))


def broken(params, user):
    raise RuntimeError("canary-of-the-declaration")


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("flights")
    datasets = [
        Dataset("orders", by_region),
        Dataset("fresh", by_region, reuse_for=timedelta(hours=1)),
        Dataset("personal", by_region, about=True),
        Dataset("broken", broken),
    ]
    registry = Registry({item.name: item for item in datasets})
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=registry) as running:
        yield running


def ask(client, name: str = "orders", **more: Any):
    answer = client.post(TASKS, json={"type": name, "format": "csv", **more})
    assert answer.status_code in (200, 202), answer.text
    return answer


def people(api, *users: str, tenant: str | None = None, roles=("north",)):
    tenant = tenant or api.tenant()
    return [api.person(tenant, user, roles) for user in users]


def seen(client, task):
    return client.get(f"{TASKS}/{task['id']}").json()


def test_colleagues_share_a_run_and_each_has_a_task_of_their_own(api) -> None:
    ana, ben = people(api, "ana", "ben")
    leader, follower = ask(ana).json(), ask(ben)
    assert follower.status_code == 202
    follower = follower.json()
    assert (follower["deduplicated"], follower["created_by"]) == (False, "ben")
    assert ask(ben).json()["id"] == follower["id"]

    claim = api.begin(leader, TaskProgress(300, 1200, 4096, None))
    progress = seen(ben, follower)["progress"]
    assert (progress["rows_done"], progress["rows_total"]) == (300, 1200)
    api.runs.release(claim)
    key = api.key_of(leader["id"])
    api.finish(leader, key=key)
    ours = [seen(ana, leader), seen(ben, follower)]
    assert {task["status"] for task in ours} == {"SUCCESS"}
    assert ours[0]["completeness"] == ours[1]["completeness"]
    json = {"Accept": "application/json"}
    link = ben.get(f"{TASKS}/{follower['id']}/download", headers=json).json()["url"]
    assert key in link
    # Neither is told of the other.
    assert leader["id"] not in str(seen(ben, follower) | {"download_url": None})
    assert "ana" not in str(seen(ben, follower))


def test_a_follower_that_was_not_told_sees_a_new_etag_with_the_progress(api) -> None:
    ana, ben = people(api, "ana", "ben")
    leader, follower = ask(ana).json(), ask(ben).json()
    address = f"{TASKS}/{follower['id']}"
    known = {"If-None-Match": ben.get(address).headers["ETag"]}
    assert ben.get(address, headers=known).status_code == 304
    api.begin(leader, TaskProgress(300, 1200, 4096, None))
    assert ben.get(address, headers=known).status_code == 200


@pytest.mark.parametrize("name", ["orders", "fresh"])
def test_r4_a_narrower_role_never_shares(api, name) -> None:
    tenant = api.tenant()
    wide = api.person(tenant, "ana", ("north", "south"))
    narrow = api.person(tenant, "ben", ("north",))
    leader, own = ask(wide, name).json(), ask(narrow, name).json()
    api.finish(leader)
    assert seen(narrow, own)["status"] == "PENDING"
    narrow.post(f"{TASKS}/{own['id']}/cancel")
    assert ask(narrow, name).json()["status"] == "PENDING"


def test_who_may_see_no_row_is_refused_at_the_request(api) -> None:
    (nobody,) = people(api, "nobody", roles=("west",))
    answer = nobody.post(TASKS, json={"type": "orders", "format": "csv"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_r1_another_tenant_never_shares(api) -> None:
    (ana,), (stranger,) = people(api, "ana"), people(api, "ana")
    leader, own = ask(ana, "fresh").json(), ask(stranger, "fresh").json()
    api.finish(leader)
    assert seen(stranger, own)["status"] == "PENDING"


def test_a_file_that_names_its_reader_is_not_shared(api) -> None:
    ana, ben = people(api, "ana", "ben")
    leader, own = ask(ana, "personal").json(), ask(ben, "personal").json()
    api.finish(leader)
    assert seen(ben, own)["status"] == "PENDING"


def test_a_fresh_file_is_given_at_once(api) -> None:
    ana, ben = people(api, "ana", "ben")
    first = ask(ana, "fresh").json()
    api.finish(first)
    again = ask(ana, "fresh")
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    given = ask(ben, "fresh")
    assert given.status_code == 202
    assert (given.json()["status"], given.json()["rows"]) == ("SUCCESS", 1200)
    assert "Retry-After" not in given.headers
    # Ana deletes hers; the file is still Ben's.
    assert ana.delete(f"{TASKS}/{first['id']}").status_code == 204
    assert ben.get(f"{TASKS}/{given.json()['id']}/download").status_code == 307


def test_a_query_that_cannot_be_built_is_left_to_the_worker(api) -> None:
    answer = people(api, "ana")[0].post(TASKS, json={"type": "broken", "format": "csv"})
    assert answer.status_code == 202
    assert "canary" not in answer.text


def test_r12_thirty_colleagues_at_once_make_one_run(api) -> None:
    tenant = api.tenant()
    clients = people(api, *(f"user-{n}" for n in range(30)), tenant=tenant)
    with ThreadPoolExecutor(30) as threads:
        tasks = list(threads.map(lambda client: ask(client).json(), clients))
    assert len({task["id"] for task in tasks}) == 30
    claims = [api.runs.claim_next("default", "w") for _ in range(40)]
    mine = [claim.task for claim in claims if claim and claim.task.tenant_id == tenant]
    assert len(mine) == 1
