"""Rights to a task's dataset, checked again: a day may have passed since the request."""

from __future__ import annotations

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied, UnknownDataset
from waybill.infra.services import Services
from waybill.infra.tasks.model import Task


def authorise_again(services: Services, user: Principal, task: Task) -> None:
    """Raise `PermissionDenied` unless `user` may still export what `task` exports."""
    try:
        dataset = services.registry[task.task_type]
    except UnknownDataset:
        raise PermissionDenied("This dataset is no longer offered.") from None
    dataset.authorise(user)
