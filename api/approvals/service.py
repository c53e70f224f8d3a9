"""Approvals: what waits for an answer of the caller, and giving it."""

from __future__ import annotations

from itertools import islice
from uuid import UUID

from waybill.api.approvals.schemas import ApprovalBody, ApprovalList
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.infra.exports.approvers import check_answer, check_requester, may_answer
from waybill.infra.services import Services
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.model import Task, TaskConflict

#: More are not kept in view.
MOST_SHOWN = 50


def waiting_for(services: Services, user: Principal) -> ApprovalList:
    """The requests that `user` may answer now, oldest first."""
    datasets = {
        dataset.name: dataset
        for dataset in services.registry
        if dataset.approval is not None and dataset.allows(user)
    }
    if not datasets:
        return ApprovalList(items=[], more=False)
    tasks = services.approvals.waiting(datasets, user.tenant)
    mine = (task for task in tasks if may_answer(datasets[task.task_type], user, task))
    found = list(islice(mine, MOST_SHOWN + 1))
    items = [body_of(datasets[task.task_type], user, task) for task in found[:MOST_SHOWN]]
    return ApprovalList(items=items, more=len(found) > MOST_SHOWN)


def approve(services: Services, user: Principal, task_id: UUID, note: str | None) -> ApprovalBody:
    """Let the export run, with the rights of its requester.

    Raises:
        TaskNotFound, PermissionDenied, TaskConflict.
    """
    task = services.approvals.get(task_id, user.tenant)
    dataset = check_answer(services.registry, user, task)
    check_requester(dataset, task)
    approved = services.approvals.approve(task, Actor.user(user), note)
    services.wake_relay()
    return body_of(dataset, user, approved)


def decline(services: Services, user: Principal, task_id: UUID, note: str | None) -> ApprovalBody:
    """End the export without a file.

    Raises:
        TaskNotFound, PermissionDenied, TaskConflict.
    """
    task = services.approvals.get(task_id, user.tenant)
    dataset = check_answer(services.registry, user, task)
    return body_of(dataset, user, services.approvals.decline(task, Actor.user(user), note))


def body_of(dataset: Dataset, user: Principal, task: Task) -> ApprovalBody:
    """`task` as somebody sees it who may answer.

    Raises:
        TaskConflict: it asks for no approval.
    """
    if task.approval is None or task.approval_until is None:
        raise TaskConflict("The export needs no approval.")
    options, closed = task.options or {}, dataset.closed_params(user)
    columns = options.get("columns")
    return ApprovalBody(
        task_id=task.id,
        type=task.task_type,
        format=task.format,
        params={name: value for name, value in task.params.items() if name not in closed},
        columns=columns and [item["name"] for item in columns],
        filename=task.filename,
        reason=options.get("reason"),
        requested_by=task.created_by,
        requested_at=task.created_at,
        answer_until=task.approval_until,
        state=task.approval.lower(),
    )
