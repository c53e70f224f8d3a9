"""Download links: authorised, signed for a limited time, recorded and audited."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from waybill.api.exports.service import authorise_again
from waybill.api.exports.view import link_lives
from waybill.api.problems.errors import FileExpired, FileMissing, FileNotReady
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.infra.exports.plan import media_type_of
from waybill.infra.files.object_keys import belongs_to
from waybill.infra.services import Services
from waybill.infra.tasks.file_sets import shown_as
from waybill.infra.tasks.model import FILE_MISSING, Task
from waybill.infra.tasks.states import LIVE, TaskStatus
from waybill.storage.store import LinkMethod, SignedLink

log = logging.getLogger(__name__)

#: A link with less time left expires before the browser follows it.
_MIN_LIFETIME = timedelta(seconds=1)


def sign_link(services: Services, user: Principal, task_id: UUID) -> SignedLink:
    """A link to the file of `task_id`, valid for `WAYBILL_LINK_TTL` or until the file expires.

    Raises:
        TaskNotFound: also if the task belongs to another user.
        PermissionDenied: the caller has lost the right to export this.
        FileNotReady, FileExpired, FileMissing: there is no file.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    link = presigned(services, task, services.settings.link_ttl)
    services.requests.record_link(user, task, link.url, link.expires_at)
    return link


def describing_link(services: Services, user: Principal, task_id: UUID) -> SignedLink:
    """A link that a HEAD may use, for size and name of the file. It is good for no byte of it.

    Raises:
        TaskNotFound, PermissionDenied, FileNotReady, FileExpired, FileMissing: as `sign_link`.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    return presigned(services, task, services.settings.link_ttl, method="HEAD")


def task_to_show(
    services: Services, user: Principal, task: Task, now: datetime
) -> tuple[Task, bool]:
    """`task` as it is now, and whether its recorded link may be shown to `user`.

    Showing a link is audited at the first time. It may not be shown without the right to export
    the dataset, or when the file is gone, which the task says then.
    """
    if not link_lives(task, now):
        return task, False
    try:
        authorise_again(services, user, task)
    except PermissionDenied:
        return task, False
    if services.files.is_missing(task, seen_lately_is_enough=True):
        return services.requests.get(user, task.id), False
    return task if task.link_shown_at else services.requests.show_link(user, task.id), True


def presigned(
    services: Services,
    task: Task,
    ttl: timedelta,
    *,
    method: LinkMethod = "GET",
    seen_lately_is_enough: bool = False,
) -> SignedLink:
    """A link to the file of `task`, valid for `ttl` or until the file expires. Not audited here.

    Raises:
        FileNotReady, FileExpired, FileMissing: there is no file.
    """
    key, life = file_of(services, task, ttl, seen_lately_is_enough=seen_lately_is_enough)
    return sign_key(services, task, key, life, method=method)


def sign_key(
    services: Services, task: Task, key: str, ttl: timedelta, *, method: LinkMethod = "GET"
) -> SignedLink:
    """A link to the object `key`, which is the file of `task` or one of its set."""
    media_type = media_type_of(task.format, task.options)
    shown = shown_as(key, task.filename, task.format, media_type)
    return services.store.presign(
        key, filename=shown.filename, content_type=shown.media_type, ttl=ttl, method=method
    )


def file_of(
    services: Services, task: Task, ttl: timedelta, *, seen_lately_is_enough: bool = False
) -> tuple[str, timedelta]:
    """The object key of the file, and how long a link to it is valid: `ttl` at most.

    The store is asked whether it still has the file, unless it had it two seconds ago and that
    is enough.

    Raises:
        FileNotReady, FileExpired, FileMissing: there is no file.
    """
    if task.status == TaskStatus.EXPIRED:
        raise FileMissing if task.error_code == FILE_MISSING else FileExpired
    if task.status in LIVE:
        raise FileNotReady("The export has not finished yet.")
    if task.status != TaskStatus.SUCCESS or task.object_key is None:
        raise FileNotReady(f"The export ended without a file: {task.status}.")
    check_tenant(services, task, task.object_key)
    left = ttl if task.expires_at is None else task.expires_at - datetime.now(UTC)
    if left < _MIN_LIFETIME:
        raise FileExpired
    if services.files.is_missing(task, seen_lately_is_enough=seen_lately_is_enough):
        raise FileMissing
    return task.object_key, min(ttl, left)


def check_tenant(services: Services, task: Task, key: str) -> None:
    """Refuse an object of another tenant.

    Only somebody who writes into the tables makes such a row, so it does not open the file.

    Raises:
        FileMissing: it is one.
    """
    if not belongs_to(key, services.installation, task.tenant_id):
        extra = {"alert": True, "task": str(task.id), "key": key}
        log.error("link refused: the file is another tenant's", extra=extra)
        raise FileMissing
