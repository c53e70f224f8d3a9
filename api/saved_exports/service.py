"""Saved exports: checking, showing and running them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from waybill.api.explanations import explain
from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import (
    check_reason,
    plan_request,
    refuse_unattended,
    submit_export,
)
from waybill.api.languages import Language
from waybill.api.saved_exports.requests import request_at
from waybill.api.saved_exports.schemas import (
    Reason,
    SavedExportBody,
    SavedExportChange,
    SavedExportRequest,
)
from waybill.api.session.tokens import Identity
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest, WaybillError
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.schedules.cron import parse_zone
from waybill.infra.schedules.saved_exports import SavedExport, Viewer
from waybill.infra.services import Services
from waybill.infra.tasks.lifecycle.submission import Submitted


def create(services: Services, viewer: Viewer, body: SavedExportRequest) -> SavedExport:
    """Check and save an export.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest, NameTaken, TooManySavedExports.
    """
    timezone = body.timezone or services.settings.timezone
    return services.saved_exports.create(
        viewer.user,
        name=body.name,
        request=_checked(services, viewer.user, body.request, timezone),
        timezone=timezone,
        shared=body.shared,
    )


def change(
    services: Services,
    viewer: Viewer,
    saved_id: UUID,
    body: SavedExportChange,
    versions: list[int] | None,
) -> SavedExport:
    """Change a saved export; a request and a zone are checked as new ones.

    Raises:
        SavedExportNotFound, PermissionDenied, ChangedMeanwhile, and what `create` raises.
    """
    changes = body.model_dump(include=body.model_fields_set - {"request"})
    if {"request", "timezone"} & body.model_fields_set:
        known = services.saved_exports.get(viewer, saved_id)
        timezone = changes.get("timezone", known.timezone)
        asked = body.request if "request" in body.model_fields_set else _stored(known.request)
        changes["request"] = _checked(services, viewer.user, asked, timezone)
    return services.saved_exports.update(viewer, saved_id, changes, versions=versions)


def run(
    services: Services, identity: Identity, viewer: Viewer, saved_id: UUID, key: str | None
) -> Submitted:
    """Run a saved export now, with the rights of the caller.

    Raises:
        SavedExportNotFound, and what `submit_export` raises.
    """
    saved = services.saved_exports.get(viewer, saved_id)
    now = datetime.now(UTC)
    request = request_at(services, viewer.user, saved.request, saved.timezone, now)
    return submit_export(services, viewer.user, request, key, identity.email)


def body_of(
    services: Services, viewer: Viewer, saved: SavedExport, language: Language
) -> SavedExportBody:
    """`saved` as `viewer` sees it."""
    params, problem = None, None
    try:
        now = datetime.now(UTC)
        request = request_at(services, viewer.user, saved.request, saved.timezone, now)
        _check_unattended(plan_request(services, viewer.user, request))
        params = request.params
    except WaybillError as error:
        problem = reason_of(error.code, language, error.message)
    mine = saved.created_by == viewer.user.user
    return SavedExportBody(
        id=saved.id,
        name=saved.name,
        shared=saved.shared,
        mine=mine,
        editable=mine or viewer.is_admin,
        created_by=saved.created_by,
        request=saved.request,
        timezone=saved.timezone,
        params_now=params,
        problem=problem,
        created_at=saved.created_at,
        updated_at=saved.updated_at,
    )


def reason_of(code: str, language: Language, message: str = "") -> Reason:
    """What an error code means."""
    told = explain(code, language)
    return Reason(code=code, message=message or told.cause, cause=told.cause, remedy=told.remedy)


def _checked(
    services: Services, user: Principal, request: ExportRequest, timezone: str
) -> dict[str, Any]:
    if request.notify is not None:
        raise InvalidRequest(
            "A saved export notifies nobody; a schedule does. Leave `notify` out.",
            field="request/notify",
        )
    if request.password:
        refuse_unattended("request/password")
    parse_zone(timezone)
    saved = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    asked = request_at(services, user, saved, timezone, datetime.now(UTC))
    _check_unattended(plan_request(services, user, asked))
    return saved


def _check_unattended(plan: ExportPlan) -> None:
    check_reason(plan)
    if plan.dataset.password:
        refuse_unattended("request/type")


def _stored(request: Mapping[str, Any]) -> ExportRequest:
    return ExportRequest(**request)
