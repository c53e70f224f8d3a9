"""Asking for an export: from what the caller sent to a stored task."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from waybill.api.exports.rights import authorise_again
from waybill.api.exports.schemas import ExportRequest
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import WaybillError
from waybill.exporter.filenames import render_filename
from waybill.exporter.formats.registry import Format, format_named
from waybill.infra.exports.single_flight_key import flight_keys
from waybill.infra.services import Services
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import Flight, NewTask

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request whose rights, parameters, format and name were found good."""

    dataset: Dataset
    params: BaseModel
    format: Format
    filename: str


def check_request(services: Services, user: Principal, request: ExportRequest) -> Wanted:
    """What `request` asks for: the one check, whether it is to be estimated or made.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest.
    """
    dataset = services.registry[request.type]
    dataset.authorise(user)
    params = dataset.parse(request.params)
    chosen = format_named(request.format)
    filename = render_filename(
        request.filename or dataset.filename,
        name=dataset.name,
        today=datetime.now(ZoneInfo(services.settings.timezone)).date(),
        extension=chosen.extension,
    )
    return Wanted(dataset, params, chosen, filename)


def submit_export(
    services: Services,
    user: Principal,
    request: ExportRequest,
    idempotency_key: str | None,
    own_address: str | None = None,
) -> Submitted:
    """Check `request`, store it as a task, and tell the relay.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest, BadNotify, IdempotencyMismatch, NotNow.
    """
    wanted = check_request(services, user, request)
    notify = request.notify.model_dump(exclude_none=True) if request.notify else {}
    services.notify_rules.check(notify, own_address)
    submitted = services.requests.submit(
        user,
        NewTask(
            task_type=wanted.dataset.name,
            queue=wanted.dataset.queue,
            format=wanted.format.name,
            # With every default filled in, so that equal requests are equal tasks.
            params=wanted.params.model_dump(mode="json"),
            filename=wanted.filename,
            asked_filename=request.filename or "",
            max_attempts=services.settings.max_attempts,
            idempotency_key=idempotency_key,
            notify=notify,
            flight=_flight(services, user, wanted.dataset, wanted.params, wanted.format.name),
        ),
    )
    services.nudge()
    return submitted


def retry_export(services: Services, user: Principal, task_id: UUID) -> Submitted:
    """Ask again for an ended export, if the caller still may.

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


def _flight(
    services: Services, user: Principal, dataset: Dataset, params: BaseModel, format_name: str
) -> Flight | None:
    """What equal requests share, or None where that cannot be told."""
    try:
        query = dataset.query(params, user)
    except WaybillError:
        raise
    except Exception:
        # A fault of the declaration. The worker meets it again, and puts it on the task.
        log.warning("a query cannot be built", exc_info=True, extra={"dataset": dataset.name})
        return None
    settings = services.settings
    told = params.model_dump(mode="json")
    key = flight_keys(settings).of(dataset, query, told, user, format_name)
    return Flight(key, dataset.reuse_for, settings.link_ttl) if key else None
