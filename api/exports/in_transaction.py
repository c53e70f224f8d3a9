"""Submission from Python, inside a transaction of the program that calls."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, cast, overload
from uuid import UUID

from pydantic import ValidationError

from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import prepare_task
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.lifecycle.submission import Submitted

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    from waybill.infra.services import Services
    from waybill.infra.tasks.lifecycle.requests import Lent

    LentAsync = AsyncConnection | AsyncSession | async_scoped_session[Any]

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class SubmittedExport:
    """The export that answers a submission."""

    id: UUID
    type: str
    format: str
    filename: str
    #: `PENDING`, or `SUCCESS` where the fresh file of an equal request answers.
    status: str
    #: Whether it existed before.
    deduplicated: bool
    #: The password that was made for the file. Nothing tells it again.
    password: str | None = field(default=None, repr=False)


@overload
def submit(
    where: Lent,
    type: str,
    *,
    user: Principal,
    params: Mapping[str, Any] | None = ...,
    format: str = ...,
    filename: str | None = ...,
    csv: Mapping[str, Any] | None = ...,
    sharding: Mapping[str, Any] | None = ...,
    columns: Sequence[str | Mapping[str, str]] | None = ...,
    sort: Sequence[str | Mapping[str, Any]] | None = ...,
    timezone: str | None = ...,
    lang: Literal["en", "zh"] | None = ...,
    reason: str | None = ...,
    password: bool | str | None = ...,
    notify: Mapping[str, str] | None = ...,
    email: str | None = ...,
    idempotency_key: str | None = ...,
) -> SubmittedExport: ...


@overload
def submit(
    where: LentAsync,
    type: str,
    *,
    user: Principal,
    params: Mapping[str, Any] | None = ...,
    format: str = ...,
    filename: str | None = ...,
    csv: Mapping[str, Any] | None = ...,
    sharding: Mapping[str, Any] | None = ...,
    columns: Sequence[str | Mapping[str, str]] | None = ...,
    sort: Sequence[str | Mapping[str, Any]] | None = ...,
    timezone: str | None = ...,
    lang: Literal["en", "zh"] | None = ...,
    reason: str | None = ...,
    password: bool | str | None = ...,
    notify: Mapping[str, str] | None = ...,
    email: str | None = ...,
    idempotency_key: str | None = ...,
) -> Awaitable[SubmittedExport]: ...


def submit(
    where: Lent | LentAsync,
    type: str,  # noqa: A002 - the contract's name
    *,
    user: Principal,
    params: Mapping[str, Any] | None = None,
    format: str = "xlsx",  # noqa: A002 - the contract's name
    filename: str | None = None,
    csv: Mapping[str, Any] | None = None,
    sharding: Mapping[str, Any] | None = None,
    columns: Sequence[str | Mapping[str, str]] | None = None,
    sort: Sequence[str | Mapping[str, Any]] | None = None,
    timezone: str | None = None,
    lang: Literal["en", "zh"] | None = None,
    reason: str | None = None,
    password: bool | str | None = None,
    notify: Mapping[str, str] | None = None,
    email: str | None = None,
    idempotency_key: str | None = None,
) -> SubmittedExport | Awaitable[SubmittedExport]:
    """Submit an export of the dataset `type` for `user`, as a part of your transaction.

    The task and its wake-up exist when you commit, and never if you roll back. Everything that
    ``POST /api/export-tasks`` checks is checked, by the same code: rights, parameters, format,
    notifications and quotas; an equal export that is under way is the answer instead of a new one.
    What is refused leaves nothing in your transaction, which goes on.

    `where` is a connection or a session of SQLAlchemy to the database of ``WAYBILL_DATABASE_URL``,
    a scoped session included, or a connection of psycopg 3 or `sqlite3`. With an
    `AsyncConnection`, an `AsyncSession` or an `async_scoped_session` the result has to be awaited.
    `email` is the verified address of `user`, which notifications may go to. `columns`, `sort` and
    `timezone` are as in the request: names or ``{"name", "label"}``, and
    ``"-total"`` for descending; `lang` is the language of the headings; `reason` says what the file
    is needed for, where the dataset asks; `sharding` is as in `Sharding`; `password` is True for a
    file with a password, which the result tells once, or a password. The settings and datasets are
    those of the environment, read at the first call.

    The trap: until you commit, other submissions of `user` and of their tenant may wait for you.
    Submit last, and commit soon. SQLAlchemy's connections in ``AUTOCOMMIT`` are refused.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest: it cannot be made as asked.
        IdempotencyMismatch: the key was used with another request.
        NotNow: a quota is used up; `retry_after` says when to try again.
        BadSettings, DatabaseUnavailable: one line that says what is wrong.
        ValueError, TypeError: `where` has no transaction, or is of no known kind.
    """
    request = _request(
        type=type, params=dict(params or {}), format=format, filename=filename, csv=csv,
        notify=notify, columns=columns, sort=sort, timezone=timezone, lang=lang,
        reason=reason, sharding=sharding, password=password,
    )  # fmt: skip
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise InvalidRequest("idempotency_key has to be 1 to 255 printable ASCII characters.")
    asked = (user, request, idempotency_key, email)
    if _is_async(where):
        return _submit_async(where, *asked)
    new = prepare_task(_services(), *asked)
    return _answer(_services().requests.submit_within(cast("Lent", where), user, new))


def _is_async(where: Lent | LentAsync) -> TypeGuard[LentAsync]:
    """Whether the submission has to be awaited.

    The module is imported by who has such a connection: it needs `greenlet`, which is no dependency
    of ours, nor of SQLAlchemy without its extra `asyncio`.
    """
    module = sys.modules.get("sqlalchemy.ext.asyncio")
    return module is not None and isinstance(
        where, module.AsyncConnection | module.AsyncSession | module.async_scoped_session
    )


async def _submit_async(
    where: LentAsync,
    user: Principal,
    request: ExportRequest,
    idempotency_key: str | None,
    email: str | None,
) -> SubmittedExport:
    # It may ask the object store and the database, each in its own time.
    new = await asyncio.to_thread(
        lambda: prepare_task(_services(), user, request, idempotency_key, email)
    )
    requests = _services().requests
    # A scoped session is called for the session of this task.
    lent_here = where() if callable(where) else where
    # Connection and session have the same method, with an argument of their own kind.
    return _answer(await lent_here.run_sync(lambda lent: requests.submit_within(lent, user, new)))


def _request(**values: Any) -> ExportRequest:
    try:
        return ExportRequest(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{place}: {first['msg']}.") from None


def _answer(submitted: Submitted) -> SubmittedExport:
    task = submitted.task
    return SubmittedExport(
        *(task.id, task.task_type, task.format, task.filename, task.status),
        deduplicated=submitted.deduplicated,
        password=submitted.password,
    )


_open = ExitStack()
_opened: list[Services] = []
_lock = Lock()


def _services() -> Services:
    """What submissions of this process work with, until its end."""
    with _lock:
        if not _opened:
            _opened.append(_open.enter_context(Stack(load())).services())
        return _opened[0]


@contextmanager
def services_of_this_process() -> Iterator[None]:
    """Forget at the end of the block what the first submission in it opened; for tests of hosts."""
    try:
        yield
    finally:
        with _lock:
            _opened.clear()
            _open.close()
