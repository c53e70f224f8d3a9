"""Admin queries and replays, for the JSON routes and the HTML pages alike.

Each works within the scope of its caller, and records what an operator sees of other tenants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from waybill.api.admin.access import AdminCaller, note_read
from waybill.api.admin.schemas import AdminTaskBody, AuditList, WorkerList
from waybill.api.exports.view import body_of
from waybill.api.http.paging import split_page
from waybill.exporter.errors import PermissionDenied
from waybill.infra.notifications.queries import Notification
from waybill.infra.notifications.rules import BadNotificationTarget
from waybill.infra.services import Services
from waybill.infra.tasks.dead_letters import DeadLetter, Replay
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.holdings import Holdings
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.queries.statistics import Lease
from waybill.infra.tasks.states import TaskStatus


def list_tasks(
    services: Services,
    caller: AdminCaller,
    *,
    statuses: Sequence[TaskStatus],
    tenant: str | None,
    task_type: str | None,
    page: int,
    page_size: int,
) -> tuple[list[Task], bool]:
    """One page of the tasks in scope, newest first, and whether more follow."""
    found = services.admin_queries.tasks(
        caller.scope,
        statuses=statuses,
        tenant=tenant,
        task_type=task_type,
        offset=(page - 1) * page_size,
        limit=page_size + 1,
    )
    shown, more = split_page(found, page_size)
    note_read(
        services,
        caller,
        "tasks",
        {task.tenant_id for task in shown},
        tenant=tenant,
        type=task_type,
        status=",".join(statuses) or None,
    )
    return shown, more


def admin_bodies(tasks: Sequence[Task]) -> list[AdminTaskBody]:
    """Tasks as an operator sees them: without their download links."""
    now = datetime.now(UTC)
    return [_admin_body(task, now) for task in tasks]


def admin_body(task: Task) -> AdminTaskBody:
    """A task as an operator sees it."""
    return _admin_body(task, datetime.now(UTC))


def get_task(services: Services, caller: AdminCaller, task_id: UUID) -> Task:
    """One task.

    Raises:
        TaskNotFound: also if it belongs to a tenant out of scope.
    """
    task = services.interventions.get(caller.scope, task_id)
    note_read(services, caller, "tasks", [task.tenant_id], task=str(task_id))
    return task


def cancel_task(services: Services, caller: AdminCaller, task_id: UUID) -> Task:
    """Cancel a task in the caller's name.

    Raises:
        TaskNotFound: also if it belongs to a tenant out of scope.
        TaskConflict: the task has ended otherwise.
    """
    return services.interventions.cancel(caller.scope, task_id, caller.actor)


def retry_task(services: Services, caller: AdminCaller, task_id: UUID) -> Task:
    """Submit a task that ended without a file again, in its owner's name; returns the new task.

    Raises:
        TaskNotFound: also if it belongs to a tenant out of scope.
        TaskConflict: the task is live, or has a file.
        NotNow, BadNotificationTarget: as for any new task of the owner.
    """
    submitted = services.interventions.retry(caller.scope, task_id, caller.actor)
    services.wake_relay()
    return submitted.task


def list_workers(services: Services, caller: AdminCaller) -> WorkerList:
    """The workers of the installation.

    Raises:
        PermissionDenied: the caller is no operator: workers belong to no tenant.
    """
    if caller.scope != ALL_TENANTS:
        raise PermissionDenied("This requires the operator role.")
    return WorkerList(
        items=services.workers.all(), queues=services.workers.by_queue(services.registry.queues)
    )


def read_holdings(services: Services, caller: AdminCaller) -> Holdings:
    """Files by tenant, the next to expire, and tables with their next cut.

    Raises:
        PermissionDenied: the caller is no operator.
    """
    if caller.scope != ALL_TENANTS:
        raise PermissionDenied("This requires the operator role.")
    return services.admin_queries.holdings(services.settings.kept_by_table)


def dismiss_dead_letter(
    services: Services, caller: AdminCaller, letter_id: int, note: str
) -> DeadLetter:
    """Record that nothing has to be done about a dead letter.

    Raises:
        DeadLetterNotFound: also if it belongs to a tenant out of scope.
    """
    return services.dead_letters.dismiss(caller.scope, letter_id, caller.actor, note)


def read_audit_log(
    services: Services,
    caller: AdminCaller,
    *,
    task_id: UUID | None,
    tenant: str | None,
    actor: str | None,
    action: str | None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None,
    limit: int,
) -> AuditList:
    """One part of the audit log, newest first. `since` is included, `until` is not."""
    narrowed: dict[str, Any] = {
        "task_id": task_id,
        "tenant": tenant,
        "actor": actor,
        "action": action,
        "since": since,
        "until": until,
    }
    found = services.admin_queries.audit(caller.scope, **narrowed, before=before, limit=limit + 1)
    entries, more = split_page(found, limit)
    note_read(services, caller, "audit log", {entry.tenant_id for entry in entries}, **narrowed)
    return AuditList(items=entries, next=entries[-1].id if more else None)


def list_dead_letters(
    services: Services,
    caller: AdminCaller,
    *,
    open_only: bool,
    limit: int,
    reason: str | None = None,
) -> list[DeadLetter]:
    """The dead letters in scope, newest first."""
    found = services.dead_letters.list(
        caller.scope, open_only=open_only, reason=reason, limit=limit
    )
    note_read(services, caller, "dead letters", {letter.tenant for letter in found})
    return found


def get_dead_letter(services: Services, caller: AdminCaller, letter_id: int) -> DeadLetter:
    """One dead letter with its message.

    Raises:
        DeadLetterNotFound: also if it belongs to a tenant out of scope.
    """
    letter = services.dead_letters.get(caller.scope, letter_id)
    note_read(services, caller, "dead letters", [letter.tenant], letter=letter_id)
    return letter


def replay_dead_letter(services: Services, caller: AdminCaller, letter_id: int) -> Replay:
    """Submit the export of a dead letter again, in its owner's name. Repeating it is harmless.

    Raises:
        DeadLetterNotFound: also if it belongs to a tenant out of scope.
        NotNow, BadNotificationTarget: as for any new task of the owner.
    """
    replay = services.dead_letters.replay(caller.scope, letter_id, caller.actor)
    services.wake_relay()
    return replay


def list_leases(services: Services, caller: AdminCaller) -> list[Lease]:
    """The leases on tasks in scope."""
    leases = services.admin_queries.leases(caller.scope)
    note_read(services, caller, "leases", {lease.tenant for lease in leases})
    return leases


def list_deliveries(
    services: Services,
    caller: AdminCaller,
    *,
    tenant: str | None,
    task_id: UUID | None,
    channel: str | None,
    failed: bool,
    limit: int,
) -> list[Notification]:
    """The notification deliveries in scope, newest first."""
    found = services.notifications.in_scope(
        caller.scope, tenant=tenant, task_id=task_id, channel=channel, failed=failed, limit=limit
    )
    note_read(
        services,
        caller,
        "notifications",
        {item.tenant_id for item in found},
        tenant=tenant,
        task_id=task_id,
        channel=channel,
        failed=failed or None,
    )
    return found


def webhook_secrets(services: Services, caller: AdminCaller) -> list[str]:
    """The webhook secrets of the caller's own tenant, the one to use first. The read is audited.

    Raises:
        BadNotificationTarget: this installation signs no webhooks.
    """
    signer = services.notification_rules.signer
    if signer is None:
        raise BadNotificationTarget(
            "webhook", "This installation has no secret to sign webhooks with."
        )
    services.notifications.audit_secrets_read(caller.user)
    return signer.secrets_of(caller.user.tenant)


def _admin_body(task: Task, now: datetime) -> AdminTaskBody:
    return AdminTaskBody(
        **body_of(task, now).model_dump(),
        tenant=task.tenant_id,
        queue=task.queue,
        next_attempt_at=task.next_attempt_at,
    )
