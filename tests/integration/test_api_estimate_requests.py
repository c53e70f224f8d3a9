"""Who may ask for an estimate, and for what: the same as for an export."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.servers.task_api import TASKS, TaskApi

ESTIMATE = f"{TASKS}/estimate"


def test_rights_and_parameters_are_checked_as_at_submit(api: TaskApi):
    bodies: list[dict[str, Any]] = [
        {"type": "ledger", "format": "csv", "params": {"year": 2024}},
        {"type": "nothing", "format": "csv"},
        {"type": "orders", "format": "docx"},
        {"type": "orders", "format": "csv", "params": {"at_least": "x"}},
        {"type": "orders", "format": "csv", "params": {"city": "Oslo", "status": "new"}},
        {"type": "orders", "format": "csv", "params": {"nosuch": 1}},
        {"type": "orders", "format": "csv", "filename": "{nosuch}"},
        {"type": "orders", "format": "csv", "filename": "x" * 256},
        {"type": "orders", "format": "csv", "tenant_id": "other"},
        {"type": "orders"},
        {"format": "csv"},
        {},
    ]

    def told(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = api.person().post(path, json=body)
        problem = answer.json()
        problem.pop("request_id")
        return answer.status_code, problem

    for body in bodies:
        refusal = told(ESTIMATE, body)
        assert refusal == told(TASKS, body)
        assert refusal[0] in (403, 422)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"type":"orders","type":"orders","format":"csv"}', {}, 400),
        (b"[" * 30_000 + b"]" * 30_000, {}, 400),
        (b'{"type":"orders","format":"csv","params":{"city":"a\\u0000b"}}', {}, 422),
        (b'{"type":"' + b"x" * 600_000 + b'"}', {}, 413),
        (b"null", {}, 422),
        (b"type=orders", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
    ids=["a key twice", "depth", "NUL", "large", "null", "form"],
)
def test_r10_r11_hostile_bodies_of_an_estimate_are_refused(
    api: TaskApi, body: bytes, headers: dict[str, str], status: int
):
    answer = api.person().post(
        ESTIMATE, content=body, headers={"Content-Type": "application/json"} | headers
    )

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_estimate_needs_a_caller(api: TaskApi):
    request = {"type": "orders", "format": "csv"}

    assert api.client().post(ESTIMATE, json=request).status_code == 401
