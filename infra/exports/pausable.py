"""What can be paused: the queues and the datasets of the installation."""

from __future__ import annotations

from waybill.exporter.datasets.dataset import Registry
from waybill.exporter.errors import InvalidRequest
from waybill.infra.tasks.queries.paused import PauseKind


def pausable(registry: Registry) -> dict[PauseKind, list[str]]:
    """The names that can be paused, by kind."""
    return {
        PauseKind.QUEUE: sorted(registry.queues),
        PauseKind.DATASET: sorted(item.name for item in registry),
    }


def check_pausable(registry: Registry, kind: PauseKind, name: str) -> None:
    """Refuse a name that nothing has: a pause of it would hold back nothing.

    Raises:
        InvalidRequest.
    """
    if name not in pausable(registry)[kind]:
        raise InvalidRequest(f"There is no {kind} '{name}'.")
