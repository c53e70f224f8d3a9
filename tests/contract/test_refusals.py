"""Who was refused is on record, and nobody can fill the record."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks import refusals as module
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries.admin import AdminQueries, AuditEntry
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.refusals import MAX_PER_HOUR, Refusals

MALLORY = Principal("mallory", "umbrella", frozenset({"sales"}))
ROUTE = "GET /api/export-tasks/{task_id}"


@pytest.fixture
def refusals(engine: Engine) -> Refusals:
    return Refusals(engine)


def ask(engine: Engine, city: str = "Berlin") -> UUID:
    return TaskRequests(engine).submit(ANN, new_task(params={"city": city})).task.id


def note(refusals: Refusals, task_id: UUID | None, **changes: Any) -> None:
    values = {"code": "task_not_found", "route": ROUTE, "task_id": task_id} | changes
    refusals.note(values.pop("user", MALLORY), **values)


def recorded(engine: Engine, **query: Any) -> list[AuditEntry]:
    return AdminQueries(engine).audit(ALL_TENANTS, action="refused", **query)


def test_r1_an_attempt_on_somebody_elses_task_is_recorded_at_the_task(
    engine: Engine, refusals: Refusals
):
    task_id = ask(engine)

    note(refusals, task_id)

    [entry] = recorded(engine)
    assert (entry.tenant_id, entry.actor, entry.task_id) == ("acme", "mallory", task_id)
    assert entry.detail == {"code": "task_not_found", "route": ROUTE, "tenant": "umbrella"}


def test_guesses_at_random_are_not_recorded_and_hide_nothing(engine: Engine, refusals: Refusals):
    for _ in range(MAX_PER_HOUR + 5):
        note(refusals, uuid4())
    assert recorded(engine) == []

    note(refusals, ask(engine))
    assert len(recorded(engine)) == 1


def test_the_same_attempt_is_recorded_once_an_hour(engine: Engine):
    seconds = [1_700_000_000.0]
    refusals = Refusals(engine, clock=lambda: seconds[-1])
    task_id = ask(engine)
    for _ in range(30):
        note(refusals, task_id)
    assert len(recorded(engine)) == 1

    seconds.append(seconds[-1] + 3600)
    note(refusals, task_id)
    assert len(recorded(engine)) == 2


def test_one_persons_refusals_are_bounded_and_the_last_one_says_so(
    engine: Engine, refusals: Refusals
):
    for number in range(MAX_PER_HOUR + 10):
        note(refusals, None, code="permission_denied", route=f"GET /{number}")
    note(refusals, None, code="permission_denied", user=ANN)

    entries = recorded(engine, actor="mallory")
    assert len(entries) == MAX_PER_HOUR
    assert ["note" in (item.detail or {}) for item in entries] == [True] + [False] * 19
    assert len(recorded(engine, actor="ann")) == 1


def test_a_database_that_is_away_is_no_error_of_the_caller(
    engine: Engine, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
):
    from sqlalchemy.exc import OperationalError

    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(module, "write_transaction", away)
    note(refusals, None, code="permission_denied")
