"""Schedules: checking, showing and running them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from waybill.api.exports.schemas import Notify
from waybill.api.languages import Language
from waybill.api.saved_exports.requests import prepare_of
from waybill.api.saved_exports.schemas import Reason
from waybill.api.saved_exports.service import reason_of
from waybill.api.schedules.schemas import (
    LastRunBody,
    Recipients,
    RulePreview,
    RulePreviewRequest,
    ScheduleBody,
    ScheduleChange,
    ScheduleRequest,
    SlotBody,
)
from waybill.api.schedules.words import cron_of, words_of
from waybill.api.session.tokens import Identity
from waybill.exporter.errors import InvalidRequest, PermissionDenied
from waybill.infra.notifications.webhook_targets import redacted
from waybill.infra.schedules.cron import Cron
from waybill.infra.schedules.last_runs import LastRun
from waybill.infra.schedules.saved_exports import Viewer
from waybill.infra.schedules.schedules import Schedule
from waybill.infra.services import Services
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.notifications import EMAIL, OWN_EMAIL, WEBHOOK
from waybill.infra.tasks.states import TaskStatus

_SHOWN = 5


def preview(services: Services, body: RulePreviewRequest, language: Language) -> RulePreview:
    """What a rule means, and when it would run next.

    Raises:
        InvalidRequest.
    """
    now = datetime.now(UTC)
    rule = services.schedules.checked_rule(cron_of(body.cron), body.timezone, now)
    return RulePreview(
        cron=rule.expression,
        words=words_of(rule.expression, language) or None,
        timezone=body.timezone,
        next_runs=_next_runs(rule, now),
    )


def create(
    services: Services,
    identity: Identity,
    viewer: Viewer,
    body: ScheduleRequest,
    language: Language,
) -> Schedule:
    """Check and store a schedule.

    Raises:
        SavedExportNotFound, InvalidRequest, BadNotificationTarget, TooManySchedules.
    """
    return services.schedules.create(
        viewer,
        body.saved_export_id,
        cron=cron_of(body.cron),
        timezone=body.timezone,
        notify=_targets(services, identity, body.notify, language),
    )


def change(
    services: Services,
    identity: Identity,
    viewer: Viewer,
    schedule_id: UUID,
    body: ScheduleChange,
    versions: list[int] | None,
    language: Language,
) -> Schedule:
    """Change a schedule.

    Raises:
        ScheduleNotFound, PermissionDenied, ChangedMeanwhile, and what `create` raises.
    """
    changes: dict[str, Any] = body.model_dump(include=body.model_fields_set - {"notify"})
    if "cron" in changes:
        changes["cron"] = cron_of(changes["cron"])
    if "notify" in body.model_fields_set:
        changes["notify"] = _targets(services, identity, body.notify, language)
    return services.schedules.update(viewer, schedule_id, changes, versions=versions)


def run_now(services: Services, viewer: Viewer, schedule_id: UUID) -> Submitted:
    """Run it once more, now. Only its owner may, with the rights of this moment.

    Raises:
        ScheduleNotFound, PermissionDenied, ScheduleBusy, SavedExportGone, and what
        `submit_export` raises.
    """
    known = services.schedules.get(viewer, schedule_id)
    if known.created_by != viewer.user.user:
        raise PermissionDenied("Only its owner may run a schedule.")
    runs = services.schedule_runs(prepare_of(services))
    task = runs.run_now(schedule_id, Actor.user(viewer.user), viewer.user)
    services.wake_relay()
    return Submitted(task, deduplicated=False)


def body_of(viewer: Viewer, item: Schedule, language: Language) -> ScheduleBody:
    """`item` as `viewer` sees it."""
    paused = item.paused_at is not None
    return ScheduleBody(
        id=item.id,
        saved_export_id=item.saved_export_id,
        saved_export_name=item.saved_export_name,
        mine=item.created_by == viewer.user.user,
        created_by=item.created_by,
        cron=item.cron,
        words=words_of(item.cron, language) or None,
        timezone=item.timezone,
        state="paused" if paused else "active",
        paused_at=item.paused_at,
        paused_reason=reason_of(item.paused_code, language) if item.paused_code else None,
        next_runs=[] if paused else _upcoming(item),
        recipients=_recipients(item.notify or {}),
        last_run=_last_run(item.last_run, language) if item.last_run else None,
        failures=item.failures,
        created_at=item.created_at,
        updated_at=item.updated_at,
    )


def _upcoming(item: Schedule) -> list[SlotBody]:
    try:
        return _next_runs(item.rule, datetime.now(UTC))
    except InvalidRequest:
        # Its zone has disappeared. The next run says so.
        return []


def _next_runs(rule: Cron, now: datetime) -> list[SlotBody]:
    return [
        SlotBody(
            at=slot.at,
            local=slot.at.astimezone(rule.zone).isoformat(),
            note="moved" if slot.moved else "repeated" if slot.repeated else None,
        )
        for slot in rule.next_times(now, _SHOWN)
    ]


def _targets(
    services: Services, identity: Identity, notify: Notify | None, language: Language
) -> dict[str, str]:
    asked = notify.model_dump(exclude_none=True) if notify else {}
    rules = services.notification_rules
    rules.check(identity.principal.tenant, asked, identity.email)
    return rules.stored(asked, identity.email, language)


def _recipients(notify: dict[str, str]) -> Recipients:
    webhook = notify.get(WEBHOOK)
    return Recipients(
        email=notify.get(EMAIL) or notify.get(OWN_EMAIL),
        webhook=redacted(webhook) if webhook else None,
    )


def _last_run(run: LastRun, language: Language) -> LastRunBody:
    code = run.code or run.task_error
    error: Reason | None = reason_of(code, language, run.message or "") if code else None
    return LastRunBody(
        slot=run.slot,
        at=run.at,
        outcome=run.outcome,
        missed=run.missed,
        task_id=run.task_id,
        task_status=TaskStatus(run.task_status) if run.task_status else None,
        error=error,
    )
