"""Response and request bodies of notices and of the delivery log."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.infra.notifications.queries import Notification
from waybill.infra.notifications.webhook_targets import redacted
from waybill.infra.tasks.notifications import WEBHOOK
from waybill.infra.tasks.states import TaskStatus


class NoticeBody(BaseModel):
    """One of the caller's exports has ended. `code` and `message` say why it failed.

    With the event `schedule.paused`, a schedule was paused: then `task_id` is the id of no task,
    and `filename` the name of the saved export.
    """

    id: UUID
    task_id: UUID
    event: str
    status: TaskStatus
    code: str | None
    message: str | None
    type: str = Field(description="Name of the dataset.")
    filename: str
    schedule_id: UUID | None = Field(None, description="The schedule that was paused.")
    created_at: datetime
    read_at: datetime | None


class NoticeList(BaseModel):
    """A page of the caller's notices, newest first."""

    items: list[NoticeBody]
    unread: int = Field(description="Unread notices in the whole list.")
    next: UUID | None = Field(description="`before` of the next page; null on the last one.")


class ReadUpTo(BaseModel):
    """The notices that were read: `up_to` and all older ones, or all without it."""

    model_config = ConfigDict(extra="forbid")

    up_to: UUID | None = None


class Unread(BaseModel):
    """The number of unread notices."""

    unread: int


class DeliveryBody(BaseModel):
    """The state of one notification.

    `target` of a webhook is without its path, which is often a secret. `last_status` is an HTTP
    or SMTP status; `last_error` is a code such as `timeout`, `tls_failed` or `http_status`.
    """

    id: UUID
    task_id: UUID
    channel: Literal["webhook", "email", "notice"]
    event: str
    target: str | None
    created_at: datetime
    attempts: int
    next_attempt_at: datetime | None = Field(description="Null once delivered or given up.")
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    items: list[DeliveryBody]


class AdminDeliveryBody(DeliveryBody):
    """A delivery of any tenant."""

    tenant: str
    user: str


class AdminDeliveryList(BaseModel):
    """Deliveries of all tenants, newest first."""

    items: list[AdminDeliveryBody]


class WebhookSecrets(BaseModel):
    """Secrets that receivers of the caller's tenant verify with, the current one first."""

    secrets: list[str]


def notice_body(item: Notification) -> NoticeBody:
    """A notice as its owner sees it."""
    return NoticeBody(
        id=item.id,
        task_id=item.task_id,
        event=item.event,
        created_at=item.created_at,
        read_at=item.read_at,
        **item.detail,
    )


def delivery_body(item: Notification) -> DeliveryBody:
    """A delivery as its owner sees it, without anything that may be a secret."""
    return DeliveryBody(**_fields(item))


def admin_delivery_body(item: Notification) -> AdminDeliveryBody:
    """A delivery as an operator sees it."""
    return AdminDeliveryBody(**_fields(item), tenant=item.tenant_id, user=item.user_id)


def _fields(item: Notification) -> dict[str, object]:
    target = item.target
    if item.channel == WEBHOOK and target is not None:
        target = redacted(target)
    ended = item.delivered_at or item.given_up_at
    return {
        "id": item.id,
        "task_id": item.task_id,
        "channel": item.channel,
        "event": item.event,
        "target": target,
        "created_at": item.created_at,
        "attempts": item.attempts,
        "next_attempt_at": None if ended else item.available_at,
        "last_status": item.last_status,
        "last_error": item.last_error,
        "delivered_at": item.delivered_at,
        "given_up_at": item.given_up_at,
    }
