"""Submitting and retrying exports: from a request body to a stored task."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from pydantic import SecretStr

from waybill.api.exports.schemas import ExportRequest
from waybill.api.languages import LANGUAGES
from waybill.exporter.datasets.filter_texts import filter_texts
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest, PermissionDenied, UnknownDataset, WaybillError
from waybill.infra.exports.approvers import asked_approval
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.passwords import check_password, new_password
from waybill.infra.exports.plan import ExportPlan, plan_export
from waybill.infra.services import Services
from waybill.infra.tasks.audit_dataset import AUDIT
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import FilePassword, NewTask, SingleFlight, Task
from waybill.infra.tasks.notifications import MAIL_FACTS, MAIL_LANGUAGE
from waybill.infra.tasks.queries.scope import ALL_TENANTS

log = logging.getLogger(__name__)


def plan_request(services: Services, user: Principal, request: ExportRequest) -> ExportPlan:
    """Check `request` and plan its export, in the same way for an estimate and for a task.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest.
    """
    return plan_export(
        services.settings,
        services.registry[request.type],
        user,
        request.params,
        request.format,
        filename_pattern=request.filename or "",
        options=request.options(),
    )


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
    new = prepare_task(services, user, request, idempotency_key, own_address)
    submitted = services.requests.submit(user, new)
    services.wake_relay()
    return submitted


def prepare_task(
    services: Services,
    user: Principal,
    request: ExportRequest,
    idempotency_key: str | None,
    own_address: str | None = None,
    *,
    is_scheduled: bool = False,
) -> NewTask:
    """Check `request`, and make of it what `TaskRequests.submit` stores.

    With `is_scheduled`, the mails that a schedule asks for have what they need.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest, BadNotificationTarget.
    """
    plan = plan_request(services, user, request)
    check_reason(plan)
    if is_scheduled and (plan.asked.password or plan.dataset.password):
        refuse_unattended("request/password")
    password = _password(services, plan, request.password)
    notify = request.notify.model_dump(exclude_none=True) if request.notify else {}
    rules = services.notification_rules
    rules.check(user.tenant, notify, own_address)
    targets = rules.stored(notify, own_address, request.lang)
    if is_scheduled or MAIL_LANGUAGE in targets:
        targets |= _mail_facts(plan)
    _note_audit_export(services, user, plan)
    new = NewTask(
        task_type=plan.dataset.name,
        queue=plan.dataset.queue,
        format=plan.format.name,
        # With every default filled in, so that equal requests become equal tasks.
        params=plan.param_values,
        filename=plan.filename,
        asked_filename=request.filename or "",
        max_attempts=services.settings.max_attempts,
        idempotency_key=idempotency_key,
        notify=targets,
        options=plan.options,
        single_flight=_single_flight(services, plan),
        approval=asked_approval(plan.dataset, plan.language),
        password=password,
    )
    _check_reusable(services, user, new)
    return new


def check_reason(plan: ExportPlan) -> None:
    """Refuse a request that does not say what the file is needed for, where the dataset asks.

    Raises:
        InvalidRequest.
    """
    if plan.dataset.reason and not plan.asked.reason:
        raise InvalidRequest(
            f"The dataset {plan.dataset.name!r} asks for a reason: say what the file is needed"
            " for.",
            field="reason",
        )


def refuse_unattended(field: str) -> NoReturn:
    """Refuse a password where there is nobody to show it to.

    Raises:
        InvalidRequest.
    """
    raise InvalidRequest(
        "A saved export or a schedule cannot have a password: it is shown once, to the person who"
        " asks for the file, and kept nowhere. Start the export by hand.",
        field=field,
    )


def _password(
    services: Services, plan: ExportPlan, asked: bool | SecretStr | None = True
) -> FilePassword | None:
    """The password of a new file: the one that was asked for, or a new one.

    Raises:
        InvalidRequest: it is too weak, or the dataset wants one and the request has none.
    """
    if not plan.asked.password:
        if plan.dataset.password:
            raise InvalidRequest(
                f"Files of the dataset {plan.dataset.name!r} have a password: ask for one with"
                ' "password": true.',
                field="password",
            )
        return None
    if isinstance(asked, SecretStr):
        given = asked.get_secret_value()
        check_password(given)
        return FilePassword(services.key_seal.of_password(given))
    made = new_password()
    return FilePassword(services.key_seal.of_password(made), made)


def retry_export(
    services: Services, user: Principal, task_id: UUID, own_address: str | None = None
) -> Submitted:
    """Submit an ended export again as a new task, if the caller still may and its targets, too.

    A file that had a password gets a new one.

    Raises:
        TaskNotFound, TaskConflict, PermissionDenied, InvalidRequest, BadNotificationTarget, NotNow.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    # One whose file is gone can be retried as well, whether or not a download has noticed it.
    services.files.is_missing(task)
    plan = _plan_again(services, user, task, filename=task.filename)
    check_reason(plan)
    notify = services.notification_rules.check_again(user.tenant, task.notify or {}, own_address)
    _note_audit_export(services, user, plan)
    shared, most = _single_flight(services, plan), services.settings.max_attempts
    again: dict[str, Any] = {
        "max_attempts": most,
        "notify": notify,
        "single_flight": shared,
        "approval": asked_approval(plan.dataset, plan.language),
        "password": _password(services, plan),
    }
    _check_reusable(services, user, NewTask.retry_of(task, **again))
    submitted = services.requests.retry(user, task_id, **again)
    services.wake_relay()
    return submitted


def run_again(
    services: Services,
    user: Principal,
    task_id: UUID,
    idempotency_key: str | None = None,
    own_address: str | None = None,
) -> Submitted:
    """Submit the request of one of the caller's tasks as a new task, in any state of the first.

    An automatic file name is made anew, with the date of today, and so is a password.

    Raises:
        TaskNotFound, PermissionDenied, InvalidRequest, BadNotificationTarget, IdempotencyMismatch,
        NotNow.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    pattern = _pattern_of(task)
    plan = _plan_again(services, user, task, pattern=pattern)
    check_reason(plan)
    notify = services.notification_rules.check_again(user.tenant, task.notify or {}, own_address)
    _note_audit_export(services, user, plan)
    new = NewTask(
        task_type=plan.dataset.name,
        queue=plan.dataset.queue,
        format=plan.format.name,
        params=plan.param_values,
        filename=plan.filename,
        asked_filename=pattern,
        max_attempts=services.settings.max_attempts,
        idempotency_key=idempotency_key,
        parent_id=task.id,
        notify=notify or None,
        options=plan.options,
        single_flight=_single_flight(services, plan),
        approval=asked_approval(plan.dataset, plan.language),
        password=_password(services, plan),
    )
    _check_reusable(services, user, new)
    submitted = services.requests.submit(user, new)
    services.wake_relay()
    return submitted


def _mail_facts(plan: ExportPlan) -> dict[str, str]:
    """What mails say about an export in each language, as a task keeps it."""
    dataset, user = plan.dataset, plan.principal
    facts = {
        language: {
            "title": dataset.title_in(language),
            "filters": filter_texts(dataset, plan.params, user, language),
        }
        for language in LANGUAGES
    }
    return {MAIL_FACTS: json.dumps(facts, ensure_ascii=False)}


def _plan_again(
    services: Services,
    user: Principal,
    task: Task,
    *,
    filename: str | None = None,
    pattern: str = "",
) -> ExportPlan:
    """The plan of `task` once more, for its owner of now; all its options count."""
    options, dataset = RequestOptions.of_task(task.options), services.registry[task.task_type]
    if dataset.password and not filename:
        options = replace(options, password=True, sharding=None)
    return plan_export(
        services.settings,
        dataset,
        user,
        task.params,
        task.format,
        filename=filename,
        filename_pattern=pattern,
        options=options,
    )


def _pattern_of(task: Task) -> str:
    """The file name that was asked for; empty for an automatic one."""
    if task.filename_pattern is not None:
        return task.filename_pattern
    # Of an older version only the finished name is on record. The date of its day moves on.
    escaped = task.filename.replace("{", "{{").replace("}", "}}")
    return escaped.replace(task.created_at.date().isoformat(), "{today}")


def authorise_again(services: Services, user: Principal, task: Task) -> None:
    """Check that `user` may still have what `task` exports: roles may have changed since.

    Raises:
        PermissionDenied.
    """
    try:
        dataset = services.registry[task.task_type]
    except UnknownDataset:
        raise PermissionDenied("This dataset is no longer available.") from None
    dataset.authorise(user, maker=task.owner)


def _check_reusable(services: Services, user: Principal, new: NewTask) -> None:
    """Expire the tasks whose file `new` would reuse, until there is one that the store has."""
    while task := services.requests.reusable(user, new):
        if not services.files.is_missing(task):
            return


def _note_audit_export(services: Services, user: Principal, plan: ExportPlan) -> None:
    """Record that an operator exports the audit log of other tenants."""
    if plan.dataset.name == AUDIT and services.admin_scope(user) == ALL_TENANTS:
        services.oversight_reads.note_export(user, AUDIT, plan.param_values)


def _single_flight(services: Services, plan: ExportPlan) -> SingleFlight | None:
    """The key that equal requests share, or None if it cannot be computed."""
    try:
        key = plan.single_flight_key
    except WaybillError:
        raise
    except Exception:
        # A bug in the dataset. The worker hits it as well, and records it on the task.
        name = plan.dataset.name
        log.warning("a query cannot be built", exc_info=True, extra={"dataset": name})
        return None
    return SingleFlight(key, plan.dataset.reuse_for, services.settings.link_ttl) if key else None
