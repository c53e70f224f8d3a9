"""Asking for an export: from what the caller sent to a stored task."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from api.rights import authorise_again
from api.schemas import ExportRequest
from exporter.filenames import render_filename
from exporter.formats import format_named
from exporter.principal import Principal
from infra.services import Services
from infra.tasks.model import NewTask
from infra.tasks.submission import Submitted


def submit_export(
    services: Services,
    user: Principal,
    request: ExportRequest,
    idempotency_key: str | None,
    own_address: str | None = None,
) -> Submitted:
    """Check `request`, store it as a task, and tell the relay.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest, BadNotify, IdempotencyMismatch.
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
    notify = request.notify.model_dump(exclude_none=True) if request.notify else {}
    services.notify_rules.check(notify, own_address)
    submitted = services.requests.submit(
        user,
        NewTask(
            task_type=dataset.name,
            queue=dataset.queue,
            format=chosen.name,
            # With every default filled in, so that equal requests are equal tasks.
            params=params.model_dump(mode="json"),
            filename=filename,
            asked_filename=request.filename or "",
            max_attempts=services.settings.max_attempts,
            idempotency_key=idempotency_key,
            notify=notify,
        ),
    )
    services.nudge()
    return submitted


def retry_export(services: Services, user: Principal, task_id: UUID) -> Submitted:
    """Ask again for an ended export, if the caller still may.

    Raises:
        TaskNotFound, TaskConflict, PermissionDenied.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    submitted = services.requests.retry(user, task_id, max_attempts=services.settings.max_attempts)
    services.nudge()
    return submitted
