"""The asynchronous client: `waybill.api.client.client.Waybill` for asyncio.

Requests, errors and guarantees are the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from inspect import isawaitable
from pathlib import Path, PurePath
from time import monotonic
from typing import Any, Self, Unpack
from uuid import UUID, uuid4

import httpx2

from waybill.api.client.answers import (
    ApprovalList,
    ApprovalRequest,
    DownloadLink,
    Estimate,
    ExportTask,
    FileList,
    Status,
    TaskPage,
)
from waybill.api.client.calls import (
    APPROVALS,
    ATTEMPTS,
    TASKS,
    Chosen,
    Following,
    ended,
    export_request,
    is_event_stream,
    path_of,
    pause_before_poll,
    pause_before_retry,
    with_file,
)
from waybill.api.client.errors import (
    DamagedDownload,
    ServerFailed,
    SeveralFiles,
    TooMany,
    Unreachable,
    error_of,
    read,
    retry_after_of,
    store_error,
)

#: A token, or what returns one for each request.
Token = str | Callable[[], str | Awaitable[str]]


class AsyncWaybill:
    """A connection to one server as one user, for one event loop. An async context manager.

    Several tasks may use it at once. `token` may be a function, also a coroutine function, that is
    called for each request. Every method raises `Unreachable` or an `ApiError` if it fails.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        timeout: timedelta = timedelta(seconds=30),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._token = token
        tls = tls or ssl.create_default_context()
        seconds = timeout.total_seconds()
        self._api = httpx2.AsyncClient(base_url=url, timeout=seconds, verify=tls)
        # Links carry their own signature. The object store must not see the token.
        self._store = httpx2.AsyncClient(timeout=seconds, verify=tls)

    async def __aenter__(self) -> Self:
        """Opens no connection before the first call."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._api.aclose()
        await self._store.aclose()

    async def submit(
        self,
        type: str,  # noqa: A002 - the contract's name
        *,
        format: str = "xlsx",  # noqa: A002 - the contract's name
        params: Mapping[str, Any] | None = None,
        filename: str | None = None,
        notify: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        **chosen: Unpack[Chosen],
    ) -> ExportTask:
        """Submit an export, once, even if the request is repeated; as `Waybill.submit`."""
        body = export_request(type, format, params, **chosen)
        body |= {"filename": filename, "notify": dict(notify) if notify else None}
        key = {"Idempotency-Key": idempotency_key or uuid4().hex}
        return read(
            ExportTask, await self._call("POST", TASKS, repeat=True, json=body, headers=key)
        )

    async def estimate(
        self,
        type: str,  # noqa: A002 - the contract's name
        *,
        format: str = "xlsx",  # noqa: A002 - the contract's name
        params: Mapping[str, Any] | None = None,
        **chosen: Unpack[Chosen],
    ) -> Estimate:
        """Estimate an export without starting it. The result is not a promise."""
        body = export_request(type, format, params, **chosen)
        return read(Estimate, await self._call("POST", f"{TASKS}/estimate", repeat=True, json=body))

    async def get(self, task_id: UUID | str) -> ExportTask:
        """One task, as it is now."""
        return read(ExportTask, await self._call("GET", path_of(task_id), repeat=True))

    async def list(
        self,
        *,
        status: Sequence[Status] = (),
        type: str | None = None,  # noqa: A002 - the contract's name
        page_size: int = 100,
    ) -> AsyncIterator[ExportTask]:
        """The caller's tasks, newest first, fetched in parts while you iterate."""
        query: dict[str, Any] = {"status": list(status), "page_size": page_size, "cursor": ""}
        if type is not None:
            query["type"] = type
        while query["cursor"] is not None:
            page = read(TaskPage, await self._call("GET", TASKS, repeat=True, params=query))
            for task in page.items:
                yield task
            query["cursor"] = page.next

    async def cancel(self, task_id: UUID | str) -> ExportTask:
        """Cancel a live task. A running one stops at the next heartbeat of its worker."""
        return read(ExportTask, await self._call("POST", f"{path_of(task_id)}/cancel", repeat=True))

    async def retry(self, task_id: UUID | str) -> ExportTask:
        """Submit an export that ended without a file again. The result is a new task."""
        return read(ExportTask, await self._call("POST", f"{path_of(task_id)}/retry"))

    async def approvals(self) -> Sequence[ApprovalRequest]:
        """Exports of others that wait for the caller's approval, oldest first; 50 at most."""
        return read(ApprovalList, await self._call("GET", APPROVALS, repeat=True)).items

    async def approve(self, task_id: UUID | str, note: str | None = None) -> ApprovalRequest:
        """Let an export of somebody else run."""
        return await self._answer(task_id, "approve", note)

    async def decline(self, task_id: UUID | str, note: str | None = None) -> ApprovalRequest:
        """End an export of somebody else that waits for an approval."""
        return await self._answer(task_id, "decline", note)

    async def _answer(self, task_id: UUID | str, verb: str, note: str | None) -> ApprovalRequest:
        address, body = f"{path_of(task_id)}/{verb}", {"note": note}
        return read(ApprovalRequest, await self._call("POST", address, repeat=True, json=body))

    async def delete(self, task_id: UUID | str) -> None:
        """Delete an ended task and its file."""
        await self._call("DELETE", path_of(task_id))

    async def wait(
        self,
        task_id: UUID | str,
        *,
        timeout: timedelta = timedelta(hours=1),  # noqa: ASYNC109 - as in `Waybill`
        on_change: Callable[[ExportTask], object] | None = None,
    ) -> ExportTask:
        """Wait until the file is ready, as `follow` does; `on_change` gets each new state.

        Raises:
            ExportFailed: the export ended without a file.
            StillRunning: `timeout` is over. The export continues; call `wait` again later.
        """
        following = Following(monotonic() + timeout.total_seconds())
        async with aclosing(self._follow(task_id, following)) as tasks:
            async for task in tasks:
                if on_change:
                    on_change(task)
        return with_file(ended(following))

    async def follow(
        self,
        task_id: UUID | str,
        *,
        timeout: timedelta = timedelta(hours=1),  # noqa: ASYNC109 - as in `Waybill`
    ) -> AsyncIterator[ExportTask]:
        """The task as it is now, and after each change, until it has ended; as `Waybill.follow`.

        Raises:
            StillRunning: `timeout` is over. The export continues.
        """
        following = Following(monotonic() + timeout.total_seconds())
        async with aclosing(self._follow(task_id, following)) as tasks:
            async for task in tasks:
                yield task

    async def _follow(
        self, task_id: UUID | str, following: Following
    ) -> AsyncGenerator[ExportTask, None]:
        while following.by_events:
            asked = None
            try:
                async with aclosing(self._events(task_id, following)) as tasks:
                    async for task in tasks:
                        yield task
                        if task.ended:
                            return
            except (Unreachable, ServerFailed, TooMany) as error:
                asked = error.retry_after
            # Until the next one brings the task: a stream may also end without a word.
            following.failures += 1
            following.check_time()
            await asyncio.sleep(following.pause(asked))
        async with aclosing(self._polled(task_id, following)) as tasks:
            async for task in tasks:
                yield task

    async def _events(
        self, task_id: UUID | str, following: Following
    ) -> AsyncGenerator[ExportTask, None]:
        """The changes that one event stream brings."""
        silence = following.silence
        following.forget_part()
        headers = await self._headers()
        path = f"{path_of(task_id)}/events"
        try:
            async with self._api.stream("GET", path, headers=headers, timeout=silence) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_of(answer)
                if not is_event_stream(answer.headers.get("Content-Type", "")):
                    raise Unreachable("The answer is no event stream.")
                async for line in answer.aiter_lines():
                    if task := following.heard(line):
                        yield task
                    if following.should_begin_again(silence):
                        return
        except httpx2.TransportError as error:
            raise Unreachable(f"The event stream broke off: {error}.") from error

    async def _polled(
        self, task_id: UUID | str, following: Following
    ) -> AsyncGenerator[ExportTask, None]:
        """The changes that polls bring, at the interval that the server asks for."""
        polls = 0
        while True:
            try:
                answer = await self._send("GET", path_of(task_id), headers=following.known())
            except (Unreachable, ServerFailed, TooMany) as error:
                if following.task is None and following.left <= 0:
                    raise
                asked = error.retry_after
            else:
                asked = retry_after_of(answer)
                if task := following.polled(answer):
                    yield task
                if ended(following).ended:
                    return
            following.check_time()
            await asyncio.sleep(max(0.0, min(pause_before_poll(polls, asked), following.left)))
            polls += 1

    async def download_link(self, task_id: UUID | str) -> DownloadLink:
        """A newly signed link to the file."""
        answer = await self._call(
            "GET", f"{path_of(task_id)}/download", headers={"Accept": "application/json"}
        )
        return read(DownloadLink, answer)

    async def files(self, task_id: UUID | str) -> FileList:
        """The files of an export with new links; of a set also while it runs."""
        return read(FileList, await self._call("GET", f"{path_of(task_id)}/files"))

    async def download(self, task_id: UUID | str, path: str | os.PathLike[str]) -> Path:
        """Download the file to `path`, complete and verified, or not at all; as `Waybill.download`.

        Writing to the disk blocks the event loop for a moment at a time.
        """
        task = await self.get(task_id)
        if task.files is not None:
            raise SeveralFiles("The export is a set of files: take each from `files`.")
        link = await self.download_link(task_id)
        target = Path(path)
        if target.is_dir():  # noqa: ASYNC240 - as the files below
            target /= PurePath(task.filename).name
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            if not task.is_intact(await self._fetch(link.url, part), part.stat().st_size):
                raise DamagedDownload(f"The bytes downloaded for {target.name} are not the file.")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    async def _fetch(self, url: str, part: Path) -> str:
        """Stream the bytes to a new file, and return their SHA-256."""
        digest = hashlib.sha256()
        try:
            async with self._store.stream("GET", url) as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise store_error(answer, await answer.aread())
                with part.open("xb") as file:
                    async for chunk in answer.aiter_raw():
                        digest.update(chunk)
                        file.write(chunk)
        except httpx2.TransportError as error:
            raise Unreachable(f"The object store is unreachable: {error}.") from error
        return digest.hexdigest()

    async def _call(
        self, method: str, path: str, *, repeat: bool = False, **request: Any
    ) -> httpx2.Response:
        """Send a request. With `repeat`, try again while the server is unavailable."""
        failures = 0
        while True:
            try:
                return await self._send(method, path, **request)
            except (Unreachable, ServerFailed) as error:
                failures += 1
                if not repeat or failures == ATTEMPTS:
                    raise
                await asyncio.sleep(pause_before_retry(failures, error.retry_after))

    async def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        sent = await self._headers(headers)
        try:
            answer = await self._api.request(method, path, headers=sent, **request)
        except httpx2.TransportError as error:
            raise Unreachable(f"{self._api.base_url.host} is unreachable: {error}.") from error
        if answer.is_success or answer.status_code == httpx2.codes.NOT_MODIFIED:
            return answer
        raise error_of(answer)

    async def _headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        if isawaitable(token):
            token = await token
        return {"Authorization": f"Bearer {token}", **(more or {})}
