"""Share links over HTTP: bodies, and what is checked before anybody is sent to a file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.exports.downloads import file_of, presigned
from waybill.api.exports.rights import authorise_again
from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import submit_export
from waybill.api.http.timestamps import Timestamp
from waybill.api.links.pages import link_path
from waybill.api.problems.errors import FileExpired
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.infra.links.share_links import LinkNotFound, SharedTask, ShareLink
from waybill.infra.services import Services
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import Task, TaskConflict
from waybill.storage.store import SignedLink

#: How long the signed link lives that a click is sent to. From the contract.
CLICK_TTL = timedelta(seconds=60)
_MOST_USES = 1_000_000
_RUN_AGAIN = (
    "The file was deleted at the end of its retention. POST to the same address to run the "
    "export again, with the same parameters and your own rights."
)


class LinkRequest(BaseModel):
    """How long and how often a link may be followed; without limits, while there is a file."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"expires_at": "2026-03-02T18:00:00Z", "max_uses": 3}},
    )

    expires_at: Timestamp | None = Field(None, description="At most the file's own end.")
    max_uses: Annotated[int, Field(strict=True, ge=1, le=_MOST_USES)] | None = None


class LinkBody(BaseModel):
    """A share link, without its token."""

    id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime | None = Field(description="The file's own end where none was chosen.")
    max_uses: int | None
    uses: int
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewLinkBody(LinkBody):
    """A new share link. Its token is shown this once; only a hash of it is kept."""

    url: str = Field(description="Relative where the API has no public address of its own.")
    token: str


class LinkList(BaseModel):
    """The share links of one task, newest first, with those that were revoked."""

    items: list[LinkBody]


def create_link(
    services: Services, user: Principal, task_id: UUID, wanted: LinkRequest
) -> NewLinkBody:
    """Make a link to a file of the caller's.

    Raises:
        TaskNotFound, PermissionDenied, FileNotReady, FileExpired, InvalidRequest, TooManyLinks.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    file_of(task, CLICK_TTL)
    link, token = services.links.create(
        user, task_id, expires_at=wanted.expires_at, max_uses=wanted.max_uses
    )
    # Never from the Host header, which the caller chooses.
    url = (services.settings.public_url or "") + link_path(token)
    return NewLinkBody(**dict(link_body(task, link)), url=url, token=token)


def list_links(services: Services, user: Principal, task_id: UUID) -> LinkList:
    """The links of a task of the caller's, or `TaskNotFound`."""
    task = services.requests.get(user, task_id)
    links = services.links.of_task(user, task_id)
    return LinkList(items=[link_body(task, link) for link in links])


def link_body(task: Task, link: ShareLink) -> LinkBody:
    """`link` as its owner sees it."""
    return LinkBody(
        id=link.id,
        created_by=link.created_by,
        created_at=link.created_at,
        expires_at=link.expires_at or task.expires_at,
        max_uses=link.max_uses,
        uses=link.uses,
        last_used_at=link.last_used_at,
        revoked_at=link.revoked_at,
    )


def follow(services: Services, visitor: Principal, token: str) -> SignedLink:
    """A signed link for one click, which is counted and audited.

    It is counted last: whoever is refused, or meets an expired file, uses nothing up.

    Raises:
        LinkNotFound: for whatever reason the link cannot be followed.
        PermissionDenied: the visitor may not export what the file holds.
        FileExpired: the link is good, and the file is gone.
    """
    shared = _authorised(services, visitor, token)
    try:
        link = presigned(services, shared.task, CLICK_TTL)
    except FileExpired:
        raise FileExpired(_RUN_AGAIN) from None
    services.links.use(visitor, shared)
    return link


def run_again(services: Services, visitor: Principal, token: str) -> Submitted:
    """Ask for a shared export anew in the visitor's name, once its file is gone.

    Raises:
        LinkNotFound, PermissionDenied: as `follow`.
        TaskConflict: the file is still there.
        Whatever asking for an export raises.
    """
    task = _authorised(services, visitor, token).task
    try:
        file_of(task, CLICK_TTL)
    except FileExpired:
        request = ExportRequest(type=task.task_type, format=task.format, params=task.params)
        return submit_export(services, visitor, request, None)
    raise TaskConflict("The file is still there; follow the link to get it.")


def _authorised(services: Services, visitor: Principal, token: str) -> SharedTask:
    shared = services.links.find(visitor, token)
    try:
        authorise_again(services, shared.sharer, shared.task)
    except PermissionDenied:
        # Nothing the visitor could mend; whoever lost the right shares nothing any more.
        raise LinkNotFound from None
    authorise_again(services, visitor, shared.task)
    return shared
