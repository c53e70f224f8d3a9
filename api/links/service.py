"""Share links: creating them, listing them, and authorising a caller who follows one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from waybill.api.exports.downloads import file_of, presigned
from waybill.api.exports.file_schemas import FileList
from waybill.api.exports.files import files_of
from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import authorise_again, submit_export
from waybill.api.languages import Language
from waybill.api.links.pages import link_path
from waybill.api.links.schemas import (
    LinkBody,
    LinkList,
    LinkRequest,
    NewLinkBody,
    SharedFileBody,
    SharedFileList,
)
from waybill.api.problems.errors import FileExpired, FileMissing
from waybill.api.session.tokens import Identity
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.infra.links.share_links import LinkNotFound, SharedTask, ShareLink
from waybill.infra.notifications.rules import BadNotificationTarget
from waybill.infra.services import Services
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import Task, TaskConflict
from waybill.storage.store import SignedLink

#: How long the signed link behind one click is valid. From the API contract.
CLICK_TTL = timedelta(seconds=60)
#: More are not kept in view.
_MOST_SHARED = 50
_EXPIRED = "The file was deleted at the end of its retention period."
_MISSING = "The file is no longer in the object store."
_RUN_AGAIN = (
    "POST to the same address to run the export again with the same parameters and your own rights."
)


def create_link(
    services: Services,
    identity: Identity,
    task_id: UUID,
    limits: LinkRequest,
    prefix: str,
    language: Language,
) -> NewLinkBody:
    """Create a link to a file of the caller's, and mail it if an address is given.

    Its address is absolute if a public one is configured, and else begins with `prefix`.

    Raises:
        TaskNotFound, PermissionDenied, FileNotReady, FileExpired, FileMissing, InvalidRequest,
        TooManyLinks, BadNotificationTarget.
    """
    user = identity.principal
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    file_of(services, task, CLICK_TTL)
    link, token = services.links.create(
        user,
        task_id,
        expires_at=limits.expires_at,
        max_uses=limits.max_uses,
        mail=_mail(services, identity, task, limits.email, language),
    )
    # Never from the Host header, which the caller controls.
    url = (services.settings.public_url or prefix) + link_path(token)
    return NewLinkBody(**dict(_link_body(task, link)), url=url, token=token)


def _mail(
    services: Services, identity: Identity, task: Task, target: str | None, language: Language
) -> dict[str, str | None] | None:
    if target is None:
        return None
    rules, tenant = services.notification_rules, identity.principal.tenant
    rules.check(tenant, {"email": target}, identity.email)
    if services.settings.public_url is None:
        raise BadNotificationTarget("email", "This installation has no address for links in mails.")
    title = services.registry[task.task_type].title_in(language)
    return {"target": target, "language": language, "title": title}


def shared_with(services: Services, identity: Identity, prefix: str) -> SharedFileList:
    """The files that were shared with the caller by mail, and that the caller may still get."""
    user = identity.principal
    if identity.email is None:
        return SharedFileList(items=[])
    return SharedFileList(
        items=[
            SharedFileBody(
                id=shared.link_id,
                filename=shared.task.filename,
                type=shared.task.task_type,
                format=shared.task.format,
                rows=shared.task.rows_written,
                size_bytes=shared.task.size_bytes,
                shared_by=shared.shared_by,
                shared_at=shared.shared_at,
                expires_at=shared.expires_at,
                url=prefix + services.link_tokens.path(shared.link_id),
            )
            for shared in services.shared_files.of(user, identity.email, _MOST_SHARED)
            if _may_have(services, user, shared.task)
        ]
    )


def _may_have(services: Services, user: Principal, task: Task) -> bool:
    """Whether `user` may open the file of `task`: not one with columns that they do not see."""
    try:
        authorise_again(services, user, task)
    except PermissionDenied:
        return False
    return True


def list_links(services: Services, user: Principal, task_id: UUID) -> LinkList:
    """The links of a task of the caller's.

    Raises:
        TaskNotFound.
    """
    task = services.requests.get(user, task_id)
    links = services.links.of_task(user, task_id)
    return LinkList(items=[_link_body(task, link) for link in links])


def _link_body(task: Task, link: ShareLink) -> LinkBody:
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
        recipient=link.recipient,
    )


def follow(services: Services, caller: Principal, token: str) -> SignedLink | FileList:
    """A signed link for one click, which is counted and audited; of a set, its list of files.

    The links of a list are valid as long as those of a download: nobody fetches them all at once.

    A visit that is refused, or that finds the file expired, is not counted.

    Raises:
        LinkNotFound: the link does not exist, has expired, was revoked or is used up.
        PermissionDenied: the caller may not export what the file holds.
        FileExpired, FileMissing: the link is valid, but the file was deleted.
    """
    shared = _authorised(services, caller, token)
    try:
        # A click has to be cheap, and many follow one link.
        link = _file_or_list(services, shared.task)
    except FileMissing:
        raise FileMissing(f"{_MISSING} {_RUN_AGAIN}") from None
    except FileExpired:
        raise FileExpired(f"{_EXPIRED} {_RUN_AGAIN}") from None
    services.links.use(caller, shared)
    return link


def _file_or_list(services: Services, task: Task) -> SignedLink | FileList:
    if task.files is None:
        return presigned(services, task, CLICK_TTL, seen_lately_is_enough=True)
    return files_of(services, task, services.settings.link_ttl, seen_lately_is_enough=True)


def describe(services: Services, caller: Principal, token: str) -> SignedLink:
    """A link for a HEAD of the shared file: size and name. No use, so neither counted nor audited.

    Raises:
        LinkNotFound, PermissionDenied, FileExpired, FileMissing: as `follow`.
    """
    shared = _authorised(services, caller, token)
    return presigned(services, shared.task, CLICK_TTL, method="HEAD")


def run_again(services: Services, caller: Principal, token: str) -> Submitted:
    """Submit a shared export again in the caller's name, after its file has expired.

    Raises:
        LinkNotFound, PermissionDenied: as `follow`.
        TaskConflict: the file still exists.
        What `submit_export` raises.
    """
    task = _authorised(services, caller, token).task
    try:
        file_of(services, task, CLICK_TTL)
    except FileExpired:
        request = ExportRequest(type=task.task_type, format=task.format, params=task.params)
        return submit_export(services, caller, request, None)
    raise TaskConflict("The file still exists. Follow the link to get it.")


def _authorised(services: Services, caller: Principal, token: str) -> SharedTask:
    shared = services.links.find(caller, token)
    try:
        authorise_again(services, shared.sharer, shared.task)
    except PermissionDenied:
        # The sharer has lost the right. Nothing the caller can do would help.
        raise LinkNotFound from None
    authorise_again(services, caller, shared.task)
    return shared
