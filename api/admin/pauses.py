"""Pausing queues and datasets, for the JSON routes and the HTML pages alike. For operators."""

from __future__ import annotations

from waybill.api.admin.access import AdminCaller
from waybill.exporter.errors import PermissionDenied
from waybill.infra.exports.pausable import check_pausable
from waybill.infra.services import Services
from waybill.infra.tasks.queries.paused import Pause, PauseKind
from waybill.infra.tasks.queries.scope import ALL_TENANTS


def list_pauses(services: Services, caller: AdminCaller) -> list[Pause]:
    """What is paused.

    Raises:
        PermissionDenied: the caller is no operator: queues belong to no tenant.
    """
    _require_operator(caller)
    return services.pauses.all()


def add_pause(
    services: Services, caller: AdminCaller, kind: PauseKind, name: str, note: str
) -> None:
    """Pause a queue or a dataset that exists.

    Raises:
        PermissionDenied: the caller is no operator.
        InvalidRequest: there is no such queue or dataset.
    """
    _require_operator(caller)
    check_pausable(services.registry, kind, name)
    services.pauses.pause(kind, name, caller.actor, note)


def end_pause(services: Services, caller: AdminCaller, kind: PauseKind, name: str) -> None:
    """Resume a queue or a dataset, which may have gone since it was paused.

    Raises:
        PermissionDenied: the caller is no operator.
    """
    _require_operator(caller)
    if services.pauses.resume(kind, name, caller.actor):
        services.wake_relay()


def _require_operator(caller: AdminCaller) -> None:
    if caller.scope != ALL_TENANTS:
        raise PermissionDenied("This requires the operator role.")
