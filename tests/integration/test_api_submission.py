"""`POST /api/export-tasks`, over real databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import export_task

#: CONTRACT.md §5, word for word.
TASK_FIELDS = """
    id type format params status progress attempt max_attempts retry_count last_error filename
    size_bytes sha256 rows completeness predicted warnings download_url url_expires_at expires_at
    created_by created_at updated_at started_at finished_at waiting csv filename_pattern
    columns sort timezone lang pauses paused_since shards files reason approval sharding protected
"""


def test_a_request_is_accepted_with_its_address_and_the_task(api: TaskApi) -> None:
    before = len(api.wake_ups)
    answer = api.person(api.tenant(), "ana").post(
        TASKS, json={"type": "orders", "format": "xlsx", "params": {"city": "Lisbon"}}
    )

    task = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{TASKS}/{task['id']}"
    assert answer.headers["retry-after"] == "2"
    assert task["deduplicated"] is False
    assert set(task) - {"deduplicated", "password"} == set(TASK_FIELDS.split())
    assert set(task["progress"]) == {"rows_done", "rows_total", "bytes_uploaded", "eta_seconds"}
    assert (task["status"], task["created_by"]) == ("PENDING", "ana")
    assert task["params"] == {"city": "Lisbon", "status": None, "at_least": 0}
    assert len(api.wake_ups) == before + 1


def test_the_same_live_export_answers_instead_of_a_second_one(api: TaskApi) -> None:
    client = api.person()
    first = ask(client, params={"city": "Rome"})

    # What the first one left to its default is said aloud here.
    answer = client.post(
        TASKS, json={"type": "orders", "format": "xlsx", "params": {"city": "Rome", "at_least": 0}}
    )

    assert answer.status_code == 200
    assert answer.json()["id"] == first["id"]
    assert answer.json()["deduplicated"] is True


def test_an_idempotency_key_brings_back_its_task_even_when_that_has_ended(api: TaskApi) -> None:
    client = api.person()
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    request = {"type": "orders", "format": "csv", "params": {}}
    first = client.post(TASKS, json=request, headers=headers)
    api.finish(first.json())

    second = client.post(TASKS, json=request, headers=headers)

    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json()["id"] == first.json()["id"]


def test_r13_an_idempotency_key_with_another_body_is_refused(api: TaskApi) -> None:
    client = api.person()
    headers = {"Idempotency-Key": "one-key"}
    client.post(TASKS, json={"type": "orders", "format": "csv", "params": {}}, headers=headers)

    answer = client.post(
        TASKS, json={"type": "orders", "format": "xlsx", "params": {}}, headers=headers
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "schlüssel"])
def test_an_idempotency_key_no_log_could_hold_is_refused(api: TaskApi, key: str) -> None:
    answer = api.person().post(
        TASKS,
        json={"type": "orders", "format": "csv"},
        headers={"Idempotency-Key": key.encode("latin-1")},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "idempotency-key"


@pytest.mark.parametrize(
    "field", ["status", "tenant_id", "object_key", "max_attempts", "fence", "created_by", "queue"]
)
def test_r5_nobody_assigns_a_field_that_is_not_theirs(api: TaskApi, field: str) -> None:
    answer = api.person().post(
        TASKS, json={"type": "orders", "format": "csv", "params": {}, field: "SUCCESS"}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": f"#/{field}", "detail": "Extra inputs are not permitted"}
    ]


@pytest.mark.parametrize(
    "city", ["' OR 1=1--", "%", "_", "\\", '"; DROP TABLE orders', "\u202e", "🚢", "{today}"]
)
def test_r6_a_hostile_filter_value_stays_a_value(api: TaskApi, city: str) -> None:
    task = ask(api.person(), params={"city": city})

    with api.engine.connect() as connection:
        stored = connection.execute(
            sa.select(export_task.c.params).where(
                export_task.c.id == sa.literal(task["id"], sa.Uuid(as_uuid=False))
            )
        ).scalar_one()
    assert task["params"]["city"] == stored["city"] == city


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"city": ["Rome", "Oslo"]}, "#/params/city"),
        ({"city": "x" * 81}, "#/params/city"),
        ({"at_least": "many"}, "#/params/at_least"),
        ({"at_least": -1}, "#/params/at_least"),
        ({"at_least": 10**40}, "#/params/at_least"),
        ({"status": "lost"}, "#/params/status"),
        ({"order_by": "id; DROP TABLE orders"}, "#/params/order_by"),
        ({"a/b~c": 1}, "#/params/a~1b~0c"),
        ({"city": "Oslo", "status": "new"}, "#/params"),
    ],
)
def test_r6_a_bad_parameter_is_named_without_its_value(
    api: TaskApi, params: dict[str, object], pointer: str
) -> None:
    answer = api.person().post(TASKS, json={"type": "orders", "format": "csv", "params": params})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert [item["pointer"] for item in problem["errors"]] == [pointer]
    assert "DROP TABLE" not in answer.text
    assert "many" not in answer.text


@pytest.mark.parametrize(
    ("request_body", "status", "code"),
    [
        ({"type": "nothing", "format": "csv"}, 422, "unknown_dataset"),
        ({"type": "ledger", "format": "csv", "params": {"year": 2020}}, 403, "permission_denied"),
        ({"type": "orders", "format": "docx"}, 422, "invalid_request"),
        ({"type": "orders"}, 422, "invalid_request"),
        ({"type": "orders", "format": "csv", "filename": "a\r\nb"}, 422, "invalid_request"),
        ({"type": "orders", "format": "csv", "filename": "{0.__class__}"}, 422, "invalid_request"),
        ({"type": "orders", "format": "csv", "notify": ["a@b.example"]}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_stable_code(
    api: TaskApi, request_body: dict[str, object], status: int, code: str
) -> None:
    answer = api.person().post(TASKS, json=request_body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("Quarter 1", "Quarter 1.csv"),
        ("../../etc/passwd", "passwd.csv"),
        ("导出 2026.csv", "导出 2026.csv"),
        ("CON", "CON_.csv"),
    ],
)
def test_a_file_name_is_made_safe(api: TaskApi, asked: str, given: str) -> None:
    assert ask(api.person(), format="csv", filename=asked)["filename"] == given


def test_r12_a_hundred_equal_requests_at_once_make_one_task(api: TaskApi) -> None:
    token = api.token(api.tenant())
    clients = [api.client(token) for _ in range(10)]

    def submit(number: int) -> tuple[int, str]:
        answer = clients[number % 10].post(
            TASKS, json={"type": "orders", "format": "xlsx", "params": {"city": "Rush"}}
        )
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(submit, range(100)))

    assert len({task_id for _, task_id in answers}) == 1
    assert sorted(status for status, _ in answers) == [200] * 99 + [202]
