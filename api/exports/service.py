"""Submitting and retrying exports: from a request body to a stored task."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from waybill.api.exports.schemas import ExportRequest
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied, UnknownDataset, WaybillError
from waybill.exporter.filenames import render_filename
from waybill.exporter.formats.registry import Format, format_named
from waybill.infra.exports.single_flight_key import flight_keys
from waybill.infra.services import Services
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import Flight, NewTask, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request with valid rights, parameters, format and file name."""

    dataset: Dataset
    params: BaseModel
    format: Format
    filename: str


def check_request(services: Services, user: Principal, request: ExportRequest) -> CheckedRequest:
    """Check `request`, in the same way for an estimate and for an export.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest.
    """
    dataset = services.registry[request.type]
    dataset.authorise(user)
    params = dataset.parse(request.params)
    file_format = format_named(request.format)
    filename = render_filename(
        request.filename or dataset.filename,
        name=dataset.name,
        today=datetime.now(ZoneInfo(services.settings.timezone)).date(),
        extension=file_format.extension,
    )
    return CheckedRequest(dataset, params, file_format, filename)


def submit_export(
    services: Services,
    user: Principal,
    request: ExportRequest,
    idempotency_key: str | None,
    own_address: str | None = None,
) -> Submitted:
    """Check `request`, store it as a task, and wake the relay.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest, BadNotificationTarget,
        IdempotencyMismatch, NotNow.
    """
    checked = check_request(services, user, request)
    notify = request.notify.model_dump(exclude_none=True) if request.notify else {}
    services.notification_rules.check(notify, own_address)
    submitted = services.requests.submit(
        user,
        NewTask(
            task_type=checked.dataset.name,
            queue=checked.dataset.queue,
            format=checked.format.name,
            # With every default filled in, so that equal requests become equal tasks.
            params=checked.params.model_dump(mode="json"),
            filename=checked.filename,
            asked_filename=request.filename or "",
            max_attempts=services.settings.max_attempts,
            idempotency_key=idempotency_key,
            notify=notify,
            flight=_flight(services, user, checked.dataset, checked.params, checked.format.name),
        ),
    )
    services.nudge()
    return submitted


def retry_export(services: Services, user: Principal, task_id: UUID) -> Submitted:
    """Submit an ended export again as a new task, if the caller still may.

    Raises:
        TaskNotFound, TaskConflict, PermissionDenied, InvalidRequest, NotNow.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    dataset = services.registry[task.task_type]
    submitted = services.requests.retry(
        user,
        task_id,
        max_attempts=services.settings.max_attempts,
        flight=_flight(services, user, dataset, dataset.parse(task.params), task.format),
    )
    services.nudge()
    return submitted


def authorise_again(services: Services, user: Principal, task: Task) -> None:
    """Check that `user` may still export what `task` exports: roles may have changed since.

    Raises:
        PermissionDenied.
    """
    try:
        dataset = services.registry[task.task_type]
    except UnknownDataset:
        raise PermissionDenied("This dataset is no longer available.") from None
    dataset.authorise(user)


def _flight(
    services: Services, user: Principal, dataset: Dataset, params: BaseModel, format_name: str
) -> Flight | None:
    """The key that equal requests share, or None if it cannot be computed."""
    try:
        query = dataset.query(params, user)
    except WaybillError:
        raise
    except Exception:
        # A bug in the dataset. The worker hits it as well, and records it on the task.
        log.warning("a query cannot be built", exc_info=True, extra={"dataset": dataset.name})
        return None
    settings = services.settings
    values = params.model_dump(mode="json")
    key = flight_keys(settings).of(dataset, query, values, user, format_name)
    return Flight(key, dataset.reuse_for, settings.link_ttl) if key else None
