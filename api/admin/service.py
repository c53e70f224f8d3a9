"""Admin queries and replays over all tenants, for the JSON routes and the HTML pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from waybill.api.admin.schemas import AdminTaskBody, AuditList
from waybill.api.exports.view import body_of
from waybill.api.http.paging import split_page
from waybill.exporter.datasets.principal import Principal
from waybill.infra.notifications.rules import BadNotificationTarget
from waybill.infra.services import Services
from waybill.infra.tasks.dead_letters import Replay
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus


def list_tasks(
    services: Services,
    *,
    statuses: Sequence[TaskStatus],
    tenant: str | None,
    task_type: str | None,
    page: int,
    page_size: int,
) -> tuple[list[Task], bool]:
    """One page of the tasks of all tenants, newest first, and whether more follow."""
    found = services.admin_queries.tasks(
        statuses=statuses,
        tenant=tenant,
        task_type=task_type,
        offset=(page - 1) * page_size,
        limit=page_size + 1,
    )
    return split_page(found, page_size)


def admin_bodies(tasks: Sequence[Task]) -> list[AdminTaskBody]:
    """Tasks as an operator sees them: without their download links."""
    now = datetime.now(UTC)
    return [_admin_body(task, now) for task in tasks]


def read_audit_log(
    services: Services,
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
    found = services.admin_queries.audit(
        task_id=task_id,
        tenant=tenant,
        actor=actor,
        action=action,
        since=since,
        until=until,
        before=before,
        limit=limit + 1,
    )
    entries, more = split_page(found, limit)
    return AuditList(items=entries, next=entries[-1].id if more else None)


def replay_dead_letter(services: Services, admin: Principal, letter_id: int) -> Replay:
    """Submit the export of a dead letter again, in its owner's name. Repeating it is harmless.

    Raises:
        DeadLetterNotFound.
    """
    replay = services.dead_letters.replay(letter_id, admin.user)
    services.wake_relay()
    return replay


def webhook_secrets(services: Services, admin: Principal) -> list[str]:
    """The webhook secrets of the admin's own tenant, the one to use first. The read is audited.

    Raises:
        BadNotificationTarget: this installation signs no webhooks.
    """
    signer = services.notification_rules.signer
    if signer is None:
        raise BadNotificationTarget(
            "webhook", "This installation has no secret to sign webhooks with."
        )
    services.notifications.audit_secrets_read(admin)
    return signer.secrets_of(admin.tenant)


def _admin_body(task: Task, now: datetime) -> AdminTaskBody:
    return AdminTaskBody(
        **body_of(task, now).model_dump(),
        tenant=task.tenant_id,
        queue=task.queue,
        next_attempt_at=task.next_attempt_at,
    )
