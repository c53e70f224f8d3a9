"""Who may answer a request for approval, by what its dataset says now."""

from __future__ import annotations

from waybill.exporter.datasets.approval import ApprovalRequest
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, PermissionDenied
from waybill.infra.tasks.model import AskedApproval, Task, TaskNotFound


def asked_approval(dataset: Dataset, language: str) -> AskedApproval | None:
    """What a new task of `dataset` has to wait for; None: for nobody."""
    approval = dataset.approval
    if approval is None:
        return None
    return AskedApproval(approval.within, approval.mail, language, dataset.title_in(language))


def may_answer(dataset: Dataset, person: Principal, task: Task) -> bool:
    """Whether `person` may approve or decline `task`, an export of `dataset`."""
    if dataset.approval is None or not dataset.allows(person):
        return False
    try:
        params = dataset.parse(task.params)
    except ExportRejected:
        # The dataset has other parameters now. The export would fail.
        return False
    reason = (task.options or {}).get("reason", "")
    request = ApprovalRequest(dataset.name, task.owner, params, task.format, reason)
    return dataset.approval.may_be_given_by(person, request)


def check_answer(registry: Registry, person: Principal, task: Task) -> Dataset:
    """The dataset of `task`, which `person` may approve or decline.

    Raises:
        PermissionDenied: it is their own request.
        TaskNotFound: it is none of their affairs.
    """
    if (person.tenant, person.user) == (task.tenant_id, task.created_by):
        raise PermissionDenied("Somebody else has to approve your request.")
    try:
        dataset = registry[task.task_type]
    except ExportRejected:
        raise TaskNotFound() from None
    if not may_answer(dataset, person, task):
        raise TaskNotFound()
    return dataset


def check_requester(dataset: Dataset, task: Task) -> None:
    """Check that the requester of `task` may still export `dataset`, before it is approved.

    Raises:
        PermissionDenied: with the roles of the request they may not, any more.
    """
    if not dataset.allows(task.owner):
        raise PermissionDenied("The requester may no longer export this dataset. Decline instead.")
