"""What the file of a task looks like, and what its "About this export" sheet says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Layout
from waybill.infra.tasks.model import Task


def layout_for(dataset: Dataset, task: Task, timezone: str) -> Layout:
    """The layout of `task`, made from its dataset's declaration."""
    return Layout(
        title=dataset.title,
        columns=dataset.columns,
        timezone=ZoneInfo(timezone),
        sheet_by=dataset.sheet_by,
        decorate=dataset.decorate,
        about=_about(dataset, task, timezone) if dataset.about else (),
    )


def _about(dataset: Dataset, task: Task, timezone: str) -> tuple[tuple[str, str], ...]:
    chosen = {name: value for name, value in task.params.items() if value is not None}
    filters = ", ".join(f"{name} = {value}" for name, value in sorted(chosen.items()))
    return (
        ("Export", dataset.title),
        ("Requested by", task.created_by),
        ("Filters", filters or "none"),
        ("Time zone", timezone),
        ("Task", str(task.id)),
    )
