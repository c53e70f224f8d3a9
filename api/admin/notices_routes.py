"""``/api/admin``: deliveries of all tenants, and the secrets of webhooks."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from waybill.api.admin.routes import Admin, Limit
from waybill.api.context import ServicesDep
from waybill.api.exports.lists import PlainText
from waybill.api.http.strict_json import StrictRoute
from waybill.api.notices.schemas import AdminDeliveryList, WebhookSecrets, admin_delivery_body
from waybill.api.problems.documents import problem_docs
from waybill.infra.notifications.rules import BadNotify

router = APIRouter(
    prefix="/api/admin",
    tags=["admin"],
    route_class=StrictRoute,
    responses=problem_docs(401, 403, 422),
)


@router.get("/notifications", response_model=AdminDeliveryList)
def list_deliveries(
    admin: Admin,
    services: ServicesDep,
    tenant: PlainText | None = None,
    task_id: UUID | None = None,
    channel: Literal["webhook", "email", "notice"] | None = None,
    failed: Annotated[bool, Query(description="Given up, or failed so far.")] = False,
    limit: Limit = 50,
) -> AdminDeliveryList:
    """Who is told of what, over all tenants, newest first."""
    found = services.notices.of_everybody(
        tenant=tenant, task_id=task_id, channel=channel, failed=failed, limit=limit
    )
    return AdminDeliveryList(items=[admin_delivery_body(item) for item in found])


@router.get("/webhook-secrets", response_model=WebhookSecrets)
def read_webhook_secrets(admin: Admin, services: ServicesDep) -> WebhookSecrets:
    """The secrets of the caller's own tenant; those of others are not to be had over HTTP."""
    signer = services.notify_rules.signer
    if signer is None:
        raise BadNotify("webhook", "This installation has no secret to sign webhooks with.")
    services.notices.audit_secrets_read(admin)
    return WebhookSecrets(secrets=signer.secrets_of(admin.tenant))
