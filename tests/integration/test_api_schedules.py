"""`/api/schedules`: made, shown, paused, resumed and run, each by those who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TaskApi
from waybill.api.saved_exports.requests import prepare_of
from waybill.infra.db.tables import notification, schedule, share_link
from waybill.infra.links.share_links import DerivedTokens
from waybill.infra.schedules.build import link_tokens

SAVED, PATH = "/api/saved-exports", "/api/schedules"
REQUEST = {"type": "orders", "format": "csv", "params": {"city": "Rome"}}


def save(client: httpx2.Client, **more: Any) -> str:
    body = {"name": "Rome", "request": REQUEST, **more}
    return str(client.post(SAVED, json=body).raise_for_status().json()["id"])


def plan(client: httpx2.Client, saved: str | None = None, **more: Any) -> dict[str, Any]:
    """A schedule that must be accepted."""
    body = {
        "saved_export_id": saved or save(client),
        "cron": "every Monday 08:00",
        "timezone": "Europe/Berlin",
        **more,
    }
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def make_due(api: TaskApi, schedule_id: str) -> datetime:
    """Let a slot come; which one it is."""
    slot = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    with api.engine.begin() as connection:
        which = schedule.c.id == UUID(schedule_id)
        values = {"cron": "* * * * *", "next_slot": slot, "due_at": slot}
        connection.execute(sa.update(schedule).where(which).values(**values))
    return slot


def run_due(api: TaskApi) -> None:
    runs = api.services.schedule_runs(prepare_of(api.services))
    while runs.run_due():
        pass


def test_a_schedule_says_when_it_runs_in_words_and_times(api: TaskApi) -> None:
    ana = api.person()
    made = plan(ana)

    assert (made["cron"], made["words"]) == ("0 8 * * 1", "Every Monday at 08:00")
    assert (made["state"], made["saved_export_name"], made["mine"]) == ("active", "Rome", True)
    assert len(made["next_runs"]) == 5
    for slot in made["next_runs"]:
        local = datetime.fromisoformat(slot["local"])
        assert (local.weekday(), local.hour, local.minute) == (0, 8, 0)
        assert local == datetime.fromisoformat(slot["at"])
    chinese = ana.get(f"{PATH}/{made['id']}", headers={"Accept-Language": "zh"}).json()
    assert chinese["words"] == "每周一 08:00"


def test_times_are_shown_before_anything_is_saved(api: TaskApi) -> None:
    body = {"cron": "30 2 29 3 *", "timezone": "Europe/Berlin"}

    answer = api.person().post(f"{PATH}/preview", json=body).raise_for_status().json()

    for slot in answer["next_runs"]:
        day = datetime.fromisoformat(slot["local"])
        # The last Sunday of March, when clocks go from 02:00 to 03:00, is the 29th in some years.
        assert (slot["note"], day.hour) == (("moved", 3) if day.weekday() == 6 else (None, 2))


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"cron": "99 8 * * *"}, 422, "invalid_request", "/cron"),
        ({"cron": "whenever"}, 422, "invalid_request", "/cron"),
        ({"cron": "* * * * *"}, 422, "invalid_request", "/cron"),
        ({"cron": "0,2 8 * * *"}, 422, "invalid_request", "/cron"),
        ({"timezone": "Berlin"}, 422, "invalid_request", "/timezone"),
        ({"notify": {"email": "eve@elsewhere.example"}}, 422, "bad_notify", None),
        ({"notify": {"webhook": "https://inside.example/x"}}, 422, "bad_notify", None),
        ({"saved_export_id": "0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10"}, 404,
         "saved_export_not_found", None),
    ],
)  # fmt: skip
def test_what_could_not_run_is_refused(
    api: TaskApi, changes: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    ana = api.person()
    body = {"saved_export_id": save(ana), "cron": "0 8 * * *", "timezone": "UTC"}

    answer = ana.post(PATH, json=body | changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if pointer:
        assert [item["pointer"] for item in answer.json()["errors"]] == [f"#{pointer}"]
    assert ana.get(PATH).json()["items"] == []


def test_a_due_slot_makes_a_task_whose_mail_has_a_link_that_asks_for_rights(api: TaskApi) -> None:
    tenant = api.tenant()
    ana = api.person(tenant)
    made = plan(ana, notify={"email": "team@acme.example"})
    assert made["recipients"] == {"email": "team@acme.example", "webhook": None}
    slot = make_due(api, made["id"])

    run_due(api)

    shown = ana.get(f"{PATH}/{made['id']}").json()
    last = shown["last_run"]
    assert (last["outcome"], last["task_status"], last["error"]) == ("submitted", "PENDING", None)
    assert datetime.fromisoformat(last["slot"]) >= slot
    task = ana.get(f"/api/export-tasks/{last['task_id']}").json()
    assert task["params"]["city"] == "Rome"
    api.finish(task)
    with api.engine.connect() as connection:
        link = connection.execute(
            sa.select(share_link.c.id).where(share_link.c.task_id == UUID(task["id"]))
        ).scalar_one()
        mail = connection.execute(
            sa.select(notification.c.detail).where(
                notification.c.task_id == UUID(task["id"]), notification.c.channel == "email"
            )
        ).scalar_one()
    assert mail["link"] == str(link)
    path = tokens(api).path(link)
    assert api.person(tenant, "bob").get(path, follow_redirects=False).status_code == 302
    assert api.person(tenant, "sue", ("support",)).get(path).status_code == 403
    assert api.person().get(path).status_code == 404


def tokens(api: TaskApi) -> DerivedTokens:
    return link_tokens(api.services.settings, api.engine)


def test_who_has_lost_the_role_runs_nothing_and_admins_are_told(api: TaskApi) -> None:
    tenant = api.tenant()
    made = plan(api.person(tenant))
    # The next visit brings a token with other roles.
    moved = api.person(tenant, roles=("finance",))
    assert moved.get(PATH).status_code == 200
    make_due(api, made["id"])

    run_due(api)

    shown = moved.get(f"{PATH}/{made['id']}").json()
    assert shown["state"] == "paused"
    assert shown["paused_reason"]["code"] == "permission_denied"
    assert shown["last_run"]["outcome"] == "refused"
    assert shown["next_runs"] == []
    boss = api.person(tenant, "boss", ("admin",))
    for client in (moved, boss):
        notices = client.get("/api/notices").json()
        [notice] = notices["items"]
        assert (notice["event"], notice["schedule_id"]) == ("schedule.paused", made["id"])
        assert (notice["filename"], notice["code"]) == ("Rome", "permission_denied")
        assert notices["unread"] == 1
    assert boss.post("/api/notices/read", json={}).json() == {"unread": 0}
    assert api.person(tenant, "boss2", ("admin",)).get("/api/notices").json()["unread"] == 0
    assert api.person(tenant, "bob").get("/api/notices").json()["items"] == []
    assert api.person(roles=("admin",)).get("/api/notices").json()["items"] == []


def test_pausing_and_resuming(api: TaskApi) -> None:
    ana = api.person()
    made = plan(ana)
    path = f"{PATH}/{made['id']}"

    paused = [ana.post(f"{path}/pause").json() for _ in range(2)]
    assert {item["state"] for item in paused} == {"paused"}
    assert paused[0]["paused_reason"] is None
    make_due(api, made["id"])
    run_due(api)
    assert ana.get(path).json()["last_run"] is None

    resumed = ana.post(f"{path}/resume").json()
    assert (resumed["state"], len(resumed["next_runs"])) == ("active", 5)
    run_due(api)
    assert ana.get(path).json()["last_run"] is None


def test_a_run_now_is_one_task_and_keeps_the_times(api: TaskApi) -> None:
    ana = api.person()
    made = plan(ana)
    path = f"{PATH}/{made['id']}"

    first, second = (ana.post(f"{path}/run") for _ in range(2))

    assert first.status_code == 202
    assert (second.status_code, second.json()["code"]) == (409, "schedule_busy")
    shown = ana.get(path).json()
    assert shown["last_run"]["task_id"] == first.json()["id"]
    assert shown["next_runs"] == made["next_runs"]


def test_changes_name_a_version_and_new_times_count_from_now(api: TaskApi) -> None:
    ana = api.person()
    made = plan(ana)
    path = f"{PATH}/{made['id']}"
    tag = ana.get(path).headers["etag"]
    change = {"cron": "每天 09:00", "timezone": "Asia/Shanghai"}

    changed = ana.patch(path, json=change, headers={"If-Match": tag})
    late = ana.patch(path, json={"cron": "0 8 * * *"}, headers={"If-Match": tag})

    assert (changed.json()["cron"], changed.json()["timezone"]) == ("0 9 * * *", "Asia/Shanghai")
    assert all(slot["local"].endswith("T09:00:00+08:00") for slot in changed.json()["next_runs"])
    assert late.status_code == 412
    assert ana.delete(path, headers={"If-Match": tag}).status_code == 412
    assert ana.delete(path).status_code == 204
    assert ana.get(path).json()["code"] == "schedule_not_found"


def test_an_admin_sees_pauses_resumes_and_deletes_and_changes_nothing(api: TaskApi) -> None:
    tenant = api.tenant()
    ana, boss = api.person(tenant), api.person(tenant, "boss", ("admin",))
    made = plan(ana)
    path = f"{PATH}/{made['id']}"

    assert [item["id"] for item in boss.get(PATH).json()["items"]] == [made["id"]]
    assert boss.post(f"{path}/pause").json()["state"] == "paused"
    assert boss.post(f"{path}/resume").json()["state"] == "active"
    assert boss.patch(path, json={"cron": "0 9 * * *"}).status_code == 403
    assert boss.post(f"{path}/run").status_code == 403
    assert boss.delete(path).status_code == 204
    assert ana.get(path).status_code == 404


def test_a_webhook_is_kept_and_only_its_host_is_shown(api: TaskApi) -> None:
    made = plan(api.person(), notify={"webhook": "https://hooks.example/canary-41"})

    assert made["recipients"]["webhook"].startswith("https://hooks.example/")
    assert "canary-41" not in repr(made)
    with api.engine.connect() as connection:
        query = sa.select(schedule.c.notify).where(schedule.c.id == UUID(made["id"]))
        assert "canary-41" not in repr(connection.execute(query).scalar_one())
