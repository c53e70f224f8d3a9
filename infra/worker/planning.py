"""The plan of a task that a worker has claimed."""

from __future__ import annotations

from waybill.exporter.datasets.approval import ApprovalNeeded
from waybill.exporter.errors import PasswordNeeded
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import ExportPlan, plan_export
from waybill.infra.tasks.file_keys import has_password
from waybill.infra.tasks.model import ApprovalState, Task
from waybill.infra.worker.dependencies import WorkerDependencies


def plan_of_task(dependencies: WorkerDependencies, task: Task) -> ExportPlan:
    """The plan of `task`, with the rights of today: a day may have passed since the request.

    Raises:
        ApprovalNeeded, PasswordNeeded: and what `plan_export` and the dataset's function raise.
    """
    dataset = dependencies.registry[task.task_type]
    if dataset.approval is not None and task.approval != ApprovalState.APPROVED:
        # It was asked for before the dataset asked for approvals.
        raise ApprovalNeeded()
    if dataset.password and not has_password(task.options):
        raise PasswordNeeded()
    plan = plan_export(
        dependencies.settings,
        dataset,
        task.owner,
        task.params,
        task.format,
        filename=task.filename,
        options=RequestOptions.of_task(task.options),
        task_id=task.id,
    )
    # The dataset's function runs here, in one thread: the estimate shares its query.
    _ = plan.queries
    return plan
