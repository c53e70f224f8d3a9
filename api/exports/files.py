"""The files of an export: those of a set with their links, also while others are being written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from waybill.api.exports.downloads import check_tenant, file_of, sign_key
from waybill.api.exports.file_schemas import ExportedFile, FileList
from waybill.api.exports.service import authorise_again
from waybill.api.problems.errors import FileNotReady
from waybill.exporter.datasets.principal import Principal
from waybill.infra.services import Services
from waybill.infra.tasks.file_sets import SetFile
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import LIVE
from waybill.infra.tasks.tree_digest import is_tree_digest
from waybill.storage.store import SignedLink


def list_files(services: Services, user: Principal, task_id: UUID) -> FileList:
    """The files of `task_id` with new links, valid for `WAYBILL_LINK_TTL` or until they expire.

    Raises:
        TaskNotFound: also if the task belongs to another user.
        PermissionDenied: the caller has lost the right to export this.
        FileNotReady: there is no file, and no set of which some may be ready.
        FileExpired, FileMissing: there is no file any more.
    """
    task = services.requests.get(user, task_id)
    authorise_again(services, user, task)
    listed = files_of(services, task, services.settings.link_ttl)
    if listed.expires_at is not None:
        services.requests.record_files(
            user, task, listed.ready, listed.expires_at, partial=listed.partial
        )
    return listed


def files_of(
    services: Services, task: Task, ttl: timedelta, *, seen_lately_is_enough: bool = False
) -> FileList:
    """The files of `task` with links that are valid for `ttl` at most. Not audited here.

    Raises:
        FileNotReady, FileExpired, FileMissing: as `list_files`.
    """
    if task.status in LIVE:
        found = services.file_sets.of(task)
        if not found:
            raise FileNotReady("The export has not finished yet.")
        return _listed(services, task, found, ttl, whole=None)
    key, life = file_of(services, task, ttl, seen_lately_is_enough=seen_lately_is_enough)
    whole = sign_key(services, task, key, life)
    found = services.file_sets.of(task)
    return _listed(services, task, found, life, whole) if found else _one(task, whole)


def _one(task: Task, link: SignedLink) -> FileList:
    """An export that is no set, as a list of one file."""
    file = ExportedFile(
        name=task.filename,
        rows=task.rows_written,
        size_bytes=task.size_bytes,
        sha256=None if is_tree_digest(task.sha256) else task.sha256,
        ready=True,
        url=link.url,
    )
    return FileList(
        format=task.format,
        partial=False,
        ready=1,
        count=1,
        manifest_url=None,
        expires_at=link.expires_at,
        items=[file],
    )


def _listed(
    services: Services,
    task: Task,
    found: Sequence[SetFile],
    ttl: timedelta,
    whole: SignedLink | None,
) -> FileList:
    """A set; `whole` is the link to its manifest, None while there is none."""
    links: dict[str, SignedLink] = {}
    for file in found:
        check_tenant(services, task, file.key)
        if file.is_written:
            links[file.key] = sign_key(services, task, file.key, ttl)
    ends = [link.expires_at for link in (*links.values(), *([whole] if whole else []))]
    return FileList(
        format=task.format,
        partial=whole is None,
        ready=len(links),
        count=len(found),
        manifest_url=whole.url if whole else None,
        expires_at=min(ends, default=None),
        items=[
            ExportedFile(
                name=file.name,
                rows=file.rows,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                ready=file.is_written,
                url=links[file.key].url if file.is_written else None,
            )
            for file in found
        ],
    )
