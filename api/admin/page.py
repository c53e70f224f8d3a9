"""The operators' pages: drawn by the server, so that they work when little else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi.responses import HTMLResponse

from waybill.api.admin import charts
from waybill.api.pages.page import Look, render
from waybill.exporter.datasets.principal import Principal
from waybill.infra.services import Services
from waybill.infra.tasks.dead_letters import DeadLetter
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.admin import AuditEntry
from waybill.infra.tasks.queries.statistics import HourFigures
from waybill.infra.tasks.states import TaskStatus


def forbidden_page(look: Look, user: Principal) -> HTMLResponse:
    """For somebody who is no operator."""
    return _page(look, "admin_forbidden.html", user, status=HTTPStatus.FORBIDDEN)


def overview_page(look: Look, services: Services, user: Principal) -> HTMLResponse:
    """Queues, leases, and the last 24 hours."""
    oversight = services.oversight
    hours = oversight.hours()
    return _page(
        look,
        "admin_overview.html",
        user,
        place="overview",
        queues=oversight.queues(),
        leases=oversight.leases(),
        open_letters=services.dead_letters.count_open(),
        hours=hours,
        exports_chart=charts.bar_chart([(hour.succeeded, hour.failed) for hour in hours]),
        duration_chart=charts.bar_chart([(hour.average_seconds or 0,) for hour in hours]),
        totals=_totals(hours),
        width=charts.WIDTH,
        height=charts.HEIGHT,
    )


def tasks_page(
    look: Look, user: Principal, tasks: Sequence[Task], filters: Mapping[str, str], page: int
) -> HTMLResponse:
    """Tasks of all tenants; `tasks` may hold one more than a page, to know of the next."""
    return _page(
        look,
        "admin_tasks.html",
        user,
        place="tasks",
        tasks=tasks,
        filters=filters,
        page=page,
        statuses=list(TaskStatus),
    )


def letters_page(
    look: Look, user: Principal, letters: Sequence[DeadLetter], every: bool, outcome: str
) -> HTMLResponse:
    """Dead letters with their payload, and the outcome of a replay."""
    return _page(
        look,
        "admin_letters.html",
        user,
        place="letters",
        letters=letters,
        every=every,
        outcome=look.language.admin.get(f"outcome_{outcome}"),
    )


def audit_page(
    look: Look,
    user: Principal,
    entries: Sequence[AuditEntry],
    filters: Mapping[str, str],
    *,
    following: int | None = None,
    bad_filter: bool = False,
) -> HTMLResponse:
    """A part of the audit log; `following` continues it."""
    return _page(
        look,
        "admin_audit.html",
        user,
        place="audit",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if bad_filter else HTTPStatus.OK,
        entries=entries,
        filters=filters,
        following=following,
        bad_filter=bad_filter,
    )


def _page(
    look: Look,
    template: str,
    user: Principal,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> HTMLResponse:
    now = datetime.now(UTC)
    return render(look, template, status, texts=look.language.admin, user=user, now=now, **values)


def _totals(hours: Sequence[HourFigures]) -> dict[str, int]:
    return {
        "succeeded": sum(hour.succeeded for hour in hours),
        "failed": sum(hour.failed for hour in hours),
    }
