"""What admins do with the tasks of others, on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks.audit import Actor, ActorKind
from waybill.infra.tasks.lifecycle.interventions import Interventions
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import TaskConflict, TaskNotFound
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope
from waybill.infra.tasks.states import TaskStatus

ADMIN = Actor.user(Principal("ida", ANN.tenant, frozenset({"admin"})))
HERS, ELSEWHERE = Scope(ANN.tenant), Scope("elsewhere")


def test_a_waiting_task_is_cancelled_in_the_name_of_who_did_it(engine: Engine) -> None:
    task = TaskRequests(engine).submit(ANN, new_task()).task
    interventions = Interventions(engine)

    assert interventions.cancel(HERS, task.id, ADMIN).status == TaskStatus.CANCELLED
    assert interventions.cancel(HERS, task.id, ADMIN).status == TaskStatus.CANCELLED

    [entry] = AdminQueries(engine).audit(HERS, task_id=task.id, action="cancel")
    assert (entry.actor, entry.actor_kind) == ("ida", ActorKind.USER)


def test_a_running_task_is_asked_to_stop(engine: Engine) -> None:
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")

    asked = Interventions(engine).cancel(ALL_TENANTS, task.id, ADMIN)

    assert (asked.status, asked.cancel_requested_at is not None) == (TaskStatus.PROCESSING, True)
    with pytest.raises(TaskConflict):
        Interventions(engine).retry(HERS, task.id, ADMIN)
    assert not runs.finish(claim, finished("k"))


def test_a_failed_task_is_retried_for_its_owner_and_once(engine: Engine) -> None:
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs = Worker(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="x", message="y", retry_in=None)
    interventions = Interventions(engine)

    first = interventions.retry(HERS, task.id, ADMIN)
    second = interventions.retry(HERS, task.id, ADMIN)

    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert first.task.id == second.task.id
    assert (first.task.parent_id, first.task.created_by) == (task.id, ANN.user)
    entries = AdminQueries(engine).audit(HERS, task_id=task.id, action="retry")
    assert [entry.actor for entry in entries] == ["ida"]


def test_a_task_with_a_file_is_neither_cancelled_nor_retried(engine: Engine) -> None:
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs = Worker(engine, LEASE)
    runs.finish(runs.claim(task.id, "w"), finished("k"))
    interventions = Interventions(engine)

    for act in (interventions.cancel, interventions.retry):
        with pytest.raises(TaskConflict):
            act(HERS, task.id, ADMIN)


def test_tasks_of_other_tenants_are_not_there(engine: Engine) -> None:
    task = TaskRequests(engine).submit(ANN, new_task()).task
    interventions = Interventions(engine)

    for scope, task_id in ((ELSEWHERE, task.id), (ALL_TENANTS, UUID(int=1))):
        with pytest.raises(TaskNotFound):
            interventions.get(scope, task_id)
        with pytest.raises(TaskNotFound):
            interventions.cancel(scope, task_id, ADMIN)
        with pytest.raises(TaskNotFound):
            interventions.retry(scope, task_id, ADMIN)
    assert interventions.get(HERS, task.id).status == TaskStatus.PENDING
