"""Notifications over HTTP: the targets of a request, the notices of the page, the delivery log."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from tests.support.servers.task_api import TASKS, TaskApi, ask, resolve
from waybill.infra.config.settings import load
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import metadata, notification
from waybill.infra.notifications.queue import DeliveryResult, NotificationQueue
from waybill.infra.notifications.rules import BadNotificationTarget, NotificationRules

HOOK = "https://hooks.example/services/canary-7c1f?token=canary-7c1f"


def asked(client: httpx2.Client, **notify: object) -> httpx2.Response:
    return client.post(
        TASKS, json={"type": "orders", "format": "csv", "params": {}, "notify": notify}
    )


def with_mail(api: TaskApi, email: str, **claims: object) -> httpx2.Client:
    return api.client(api.token(api.tenant(), email=email, **claims))


def test_every_end_is_a_notice_and_newer_ones_stay_unread(api: TaskApi) -> None:
    client = api.person()
    good, bad = ask(client, params={"city": "Rome"}), ask(client, params={"city": "Oslo"})
    api.finish(good)
    api.fail(bad)

    found = client.get("/api/notices").json()
    newest, oldest = found["items"]

    assert (found["unread"], found["next"]) == (2, None)
    assert (newest["task_id"], newest["event"]) == (bad["id"], "export.failed")
    assert newest["code"] == "source_unavailable"
    assert newest["message"] == "The source database cannot be reached."
    assert (oldest["status"], oldest["type"], oldest["filename"]) == (
        *("SUCCESS", "orders"),
        good["filename"],
    )
    read = client.post("/api/notices/read", json={"up_to": oldest["id"]})
    assert (read.status_code, read.json()) == (200, {"unread": 1})
    assert client.post("/api/notices/read", json={}).json() == {"unread": 0}
    assert all(item["read_at"] for item in client.get("/api/notices").json()["items"])


def test_the_list_is_read_in_parts(api: TaskApi) -> None:
    client = api.person()
    tasks = [ask(client, params={"city": f"city {n}"}) for n in range(5)]
    for task in tasks:
        api.finish(task)

    seen, before = [], {}
    while True:
        part = client.get("/api/notices", params={"limit": 2, **before}).json()
        assert part["unread"] == 5
        seen += [item["task_id"] for item in part["items"]]
        if part["next"] is None:
            break
        before = {"before": part["next"]}
    assert seen == [task["id"] for task in reversed(tasks)]


def test_notices_of_others_are_neither_seen_nor_read(api: TaskApi) -> None:
    tenant = api.tenant()
    owner = api.person(tenant)
    api.finish(ask(owner))
    [notice] = owner.get("/api/notices").json()["items"]

    for other in (api.person(), api.person(tenant, "bob"), api.person(roles=("admin",))):
        assert other.get("/api/notices").json() == {"items": [], "unread": 0, "next": None}
        assert other.get("/api/notices", params={"before": notice["id"]}).json()["items"] == []
        other.post("/api/notices/read", json={"up_to": notice["id"]})
        other.post("/api/notices/read", json={})
    assert owner.get("/api/notices").json()["unread"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/notices?limit=0", None),
        ("GET", "/api/notices?limit=101", None),
        ("GET", "/api/notices?before=1", None),
        ("POST", "/api/notices/read", {"up_to": "all"}),
        ("POST", "/api/notices/read", {"user": "bob"}),
    ],
)
def test_a_bad_question_about_notices_is_refused(api: TaskApi, method, path, body) -> None:
    answer = api.person().request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_delivery_log_shows_how_it_went_and_no_part_of_the_path(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.client(api.token(tenant, email="ana@acme.example"))
    task = asked(client, webhook=HOOK, email="Ana@acme.example").json()
    assert client.get(f"{TASKS}/{task['id']}/notifications").json() == {"items": []}
    api.finish(task)
    queue = NotificationQueue(api.engine, api.services.settings.notify_retry_delays)
    for item in queue.take(100, per_tenant=100):
        if item.tenant_id == tenant and item.channel == "webhook":
            queue.record(item, DeliveryResult(delivered=False, status=503, error="http_status"))

    answer = client.get(f"{TASKS}/{task['id']}/notifications")
    log = {item["channel"]: item for item in answer.json()["items"]}

    assert set(log) == {"notice", "webhook", "email"}
    hook = log["webhook"]
    assert (hook["target"], hook["event"]) == ("https://hooks.example/…", "export.succeeded")
    assert (hook["attempts"], hook["last_status"], hook["last_error"]) == (1, 503, "http_status")
    assert hook["next_attempt_at"] is not None
    assert log["email"]["target"] == "Ana@acme.example"
    assert log["notice"]["next_attempt_at"] is None
    admin = api.person(roles=("waybill-operator",))
    seen = admin.get("/api/admin/notifications", params={"tenant": tenant, "failed": True})
    [failed] = seen.json()["items"]
    assert (failed["id"], failed["tenant"], failed["user"]) == (hook["id"], tenant, "ana")
    assert "canary" not in answer.text + seen.text + client.get(f"{TASKS}/{task['id']}").text
    metrics = client.get("/metrics").text
    assert 'waybill_notifications{channel="webhook",result="failing"}' in metrics
    assert "hooks.example" not in metrics


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://inside.example/x", "public addresses"),
        ("https://nowhere.example/x", "cannot be found"),
        ("https://exports.example/metrics", "this service itself"),
        ("http://hooks.example/x", "https"),
        ("https://hooks.example:22/x", "443"),
        ("https://u:canary@hooks.example/x", "plain https URL"),
        ("https://127.1/canary", "whole address"),
        ("https://hooks.example/\r\nHost: canary", "plain https URL"),
    ],
)
def test_r22_to_r25_a_bad_webhook_is_refused_when_it_is_saved(api: TaskApi, url, says) -> None:
    client = api.person()
    answer = asked(client, webhook=url)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad_notify")
    [error] = problem["errors"]
    assert error["pointer"] == "#/notify/webhook"
    assert says in error["detail"]
    assert "canary" not in answer.text
    assert client.get(TASKS).json()["total"] == 0


@pytest.mark.parametrize(
    "notify",
    [
        {"sms": "123"},
        {"webhook": ["https://hooks.example/"]},
        {"webhook": ""},
        {"webhook": "https://hooks.example/" + "x" * 2000},
        {"email": "x" * 300},
    ],
)
def test_a_notify_of_another_form_is_refused(api: TaskApi, notify) -> None:
    answer = asked(api.person(), **notify)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"].startswith("#/notify/")


@pytest.mark.parametrize("notify", [None, {}, {"webhook": None}, {"webhook": None, "email": None}])
def test_asking_to_tell_nobody_is_asking_for_the_export(api: TaskApi, notify) -> None:
    client = api.person()
    plain = client.post(TASKS, json={"type": "orders", "format": "csv", "params": {}})
    same = client.post(
        TASKS, json={"type": "orders", "format": "csv", "params": {}, "notify": notify}
    )
    assert same.json()["id"] == plain.json()["id"]


def test_a_mail_goes_to_ones_own_address_or_an_allowed_domain_only(api: TaskApi) -> None:
    client = with_mail(api, "ana@elsewhere.example")
    for address in ("ana@elsewhere.example", "ANA@Elsewhere.example", "team@acme.example"):
        assert asked(client, email=address).status_code == 202
    for address in ("bob@elsewhere.example", "ana@sub.acme.example", "ana@elsewhere.example,x@y"):
        answer = asked(client, email=address)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_notify")
        assert answer.json()["errors"][0]["pointer"] == "#/notify/email"


def test_without_an_address_in_the_token_no_foreign_one_is_mailed(api: TaskApi) -> None:
    assert asked(api.person(), email="ana@elsewhere.example").status_code == 422


def test_a_retry_keeps_its_notification_targets(api: TaskApi) -> None:
    client = api.person()
    task = asked(client, webhook=HOOK).json()
    api.fail(task)
    again = client.post(f"{TASKS}/{task['id']}/retry").json()
    api.finish(again)
    log = client.get(f"{TASKS}/{again['id']}/notifications").json()["items"]
    assert {item["channel"] for item in log} == {"notice", "webhook"}


def test_r44_no_table_holds_the_path_of_a_webhook(api: TaskApi) -> None:
    client, canary = api.person(), uuid4().hex
    hook = f"https://hooks.example/services/{canary}?token={canary}"
    task = asked(client, webhook=hook).json()
    # The same request is still the same, although what is stored does not show it.
    assert asked(client, webhook=hook).json()["id"] == task["id"]
    assert asked(client, webhook=f"{hook}-other").json()["id"] != task["id"]
    api.finish(task)
    request = {"type": "orders", "format": "csv", "params": {}}
    saved = client.post("/api/saved-exports", json={"name": "x", "request": request}).json()
    plan = {"saved_export_id": saved["id"], "cron": "0 8 * * 1", "timezone": "UTC"}
    planned = client.post("/api/schedules", json={**plan, "notify": {"webhook": hook}}).json()
    assert client.post(f"/api/schedules/{planned['id']}/run").status_code in (200, 202)
    failed = ask(client, params={"city": "Oslo"}, notify={"webhook": hook})
    api.runs.fail(api.begin(failed), code="broken", message="Broken.", retry_in=None)
    assert client.post(f"{TASKS}/{failed['id']}/retry").status_code == 201

    with read_transaction(api.engine) as connection:
        held = {
            table.name: str(connection.execute(sa.select(table)).all())
            for table in metadata.sorted_tables
        }
        (due,) = connection.scalars(
            sa.select(notification.c.target).where(
                notification.c.task_id == UUID(task["id"]), notification.c.channel == "webhook"
            )
        )

    assert [name for name, rows in held.items() if canary in rows] == []
    assert due.startswith("https://hooks.example/sealed.")
    for name in ("export_task", "notification", "schedule"):
        assert "https://hooks.example/sealed." in held[name]


def test_an_admin_reads_the_secrets_of_their_own_tenant(api: TaskApi) -> None:
    tenant, path = api.tenant(), "/api/admin/webhook-secrets"
    admin = api.person(tenant, "root", roles=("admin",))

    (secret,) = admin.get(path).json()["secrets"]
    (other,) = api.person(roles=("admin",)).get(path).json()["secrets"]

    assert Webhook(secret)
    assert secret != other
    assert api.services.notification_rules.signer.secrets_of(tenant) == [secret]
    entries = admin.get("/api/admin/audit-log", params={"tenant": tenant}).json()["items"]
    assert [(entry["action"], entry["actor"]) for entry in entries] == [
        ("webhook_secrets_read", "root")
    ]
    assert secret not in str(entries)


def test_without_mail_server_and_shared_secret_both_are_refused_in_words(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = NotificationRules(load(home=tmp_path, jwks_url="https://id.example/keys"), resolve)
    with pytest.raises(BadNotificationTarget, match="sends no mail"):
        rules.check("acme", {"email": "ana@acme.example"}, "ana@acme.example")
    with pytest.raises(BadNotificationTarget, match="no secret"):
        rules.check("acme", {"webhook": HOOK}, None)


def test_a_task_nobody_has_has_no_log(api: TaskApi) -> None:
    answer = api.person().get(f"{TASKS}/{uuid4()}/notifications")
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
