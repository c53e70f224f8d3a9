"""The plan of a task that a worker has claimed."""

from __future__ import annotations

from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import ExportPlan, plan_export
from waybill.infra.tasks.model import Task
from waybill.infra.worker.dependencies import WorkerDependencies


def plan_of_task(dependencies: WorkerDependencies, task: Task) -> ExportPlan:
    """The plan of `task`, with the rights of today: a day may have passed since the request."""
    plan = plan_export(
        dependencies.settings,
        dependencies.registry[task.task_type],
        task.owner,
        task.params,
        task.format,
        filename=task.filename,
        options=RequestOptions.of_task(task.options),
        task_id=task.id,
    )
    # The dataset's function runs here, in one thread: the estimate shares its query.
    _ = plan.query
    return plan
