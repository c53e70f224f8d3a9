"""The Python client of Waybill's HTTP API: submit an export, wait for it, download the file.

It imports no module of the server. `waybill.client` is its public face. Errors are in
`waybill.api.client.errors`; each `ApiError` has the stable code that the server sent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path, PurePath
from time import monotonic, sleep
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
    store_error_of,
)


class Waybill:
    """A connection to one server as one user. A context manager; not thread-safe.

    `token` may be a function that is called for each request, because a token may expire during a
    long wait. Every method raises `Unreachable` or an `ApiError` if it fails.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        *,
        timeout: timedelta = timedelta(seconds=30),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._token = token
        tls = tls or ssl.create_default_context()
        seconds = timeout.total_seconds()
        self._api = httpx2.Client(base_url=url, timeout=seconds, verify=tls)
        # Links carry their own signature. The object store must not see the token.
        self._store = httpx2.Client(timeout=seconds, verify=tls)

    def __enter__(self) -> Self:
        """Opens no connection before the first call."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._store.close()

    def submit(
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
        """Submit an export. `notify` names a `webhook`, an `email`, or both.

        `Chosen` says what else is in the file: `columns`, `sort`, `timezone`, `lang`, `csv`;
        `reason`, which some datasets ask for; and `password`.

        A call starts one export, even if the network fails and the request is repeated: it sends
        an `Idempotency-Key`. Pass your own key to get the same guarantee across several calls,
        or after your program crashed.
        """
        body = export_request(type, format, params, **chosen)
        body |= {"filename": filename, "notify": dict(notify) if notify else None}
        key = {"Idempotency-Key": idempotency_key or uuid4().hex}
        answer = self._call("POST", TASKS, repeat=True, json=body, headers=key)
        return read(ExportTask, answer)

    def estimate(
        self,
        type: str,  # noqa: A002 - the contract's name
        *,
        format: str = "xlsx",  # noqa: A002 - the contract's name
        params: Mapping[str, Any] | None = None,
        **chosen: Unpack[Chosen],
    ) -> Estimate:
        """Estimate an export without starting it. The result is not a promise."""
        body = export_request(type, format, params, **chosen)
        return read(Estimate, self._call("POST", f"{TASKS}/estimate", repeat=True, json=body))

    def get(self, task_id: UUID | str) -> ExportTask:
        """One task, as it is now."""
        answer = self._call("GET", path_of(task_id), repeat=True)
        return read(ExportTask, answer)

    def list(
        self,
        *,
        status: Sequence[Status] = (),
        type: str | None = None,  # noqa: A002 - the contract's name
        page_size: int = 100,
    ) -> Iterator[ExportTask]:
        """The caller's tasks, newest first, fetched in parts while you iterate."""
        query: dict[str, Any] = {"status": list(status), "page_size": page_size, "cursor": ""}
        if type is not None:
            query["type"] = type
        while query["cursor"] is not None:
            page = read(TaskPage, self._call("GET", TASKS, repeat=True, params=query))
            yield from page.items
            query["cursor"] = page.next

    def cancel(self, task_id: UUID | str) -> ExportTask:
        """Cancel a live task. A running one stops at the next heartbeat of its worker."""
        answer = self._call("POST", f"{path_of(task_id)}/cancel", repeat=True)
        return read(ExportTask, answer)

    def retry(self, task_id: UUID | str) -> ExportTask:
        """Submit an export that ended without a file again. The result is a new task."""
        answer = self._call("POST", f"{path_of(task_id)}/retry")
        return read(ExportTask, answer)

    def approvals(self) -> Sequence[ApprovalRequest]:
        """Exports of others that wait for the caller's approval, oldest first; 50 at most."""
        return read(ApprovalList, self._call("GET", APPROVALS, repeat=True)).items

    def approve(self, task_id: UUID | str, note: str | None = None) -> ApprovalRequest:
        """Let an export of somebody else run."""
        return self._answer(task_id, "approve", note)

    def decline(self, task_id: UUID | str, note: str | None = None) -> ApprovalRequest:
        """End an export of somebody else that waits for an approval."""
        return self._answer(task_id, "decline", note)

    def _answer(self, task_id: UUID | str, verb: str, note: str | None) -> ApprovalRequest:
        address = f"{path_of(task_id)}/{verb}"
        return read(ApprovalRequest, self._call("POST", address, repeat=True, json={"note": note}))

    def delete(self, task_id: UUID | str) -> None:
        """Delete an ended task and its file."""
        self._call("DELETE", path_of(task_id))

    def wait(
        self,
        task_id: UUID | str,
        *,
        timeout: timedelta = timedelta(hours=1),
        on_change: Callable[[ExportTask], object] | None = None,
    ) -> ExportTask:
        """Wait until the file is ready, as `follow` does: by events, or else by polling.

        Outages of the server do not end the wait. `on_change` is called with the task each time
        it has changed, to show progress.

        Raises:
            ExportFailed: the export ended without a file.
            StillRunning: `timeout` is over. The export continues; call `wait` again later.
        """
        following = Following(monotonic() + timeout.total_seconds(), monotonic)
        with closing(self._follow(task_id, following)) as tasks:
            for task in tasks:
                if on_change:
                    on_change(task)
        return with_file(ended(following))

    def follow(
        self, task_id: UUID | str, *, timeout: timedelta = timedelta(hours=1)
    ) -> Iterator[ExportTask]:
        """The task as it is now, and after each change, until it has ended: also without a file.

        An event stream brings each change within a second. Where streams do not get through, it
        polls at the interval that the server asks for. Outages of the server do not end it.

        Raises:
            StillRunning: `timeout` is over. The export continues.
        """
        yield from self._follow(
            task_id, Following(monotonic() + timeout.total_seconds(), monotonic)
        )

    def _follow(
        self, task_id: UUID | str, following: Following
    ) -> Generator[ExportTask, None, None]:
        while following.by_events:
            asked = None
            try:
                for task in self._events(task_id, following):
                    yield task
                    if task.ended:
                        return
            except (Unreachable, ServerFailed, TooMany) as error:
                asked = error.retry_after
            # Until the next one brings the task: a stream may also end without a word.
            following.failures += 1
            following.check_time()
            sleep(following.pause(asked))
        yield from self._polled(task_id, following)

    def _events(self, task_id: UUID | str, following: Following) -> Iterator[ExportTask]:
        """The changes that one event stream brings."""
        silence = following.silence
        following.forget_part()
        try:
            with self._api.stream(
                "GET", f"{path_of(task_id)}/events", headers=self._headers(), timeout=silence
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer)
                if not is_event_stream(answer.headers.get("Content-Type", "")):
                    raise Unreachable("The answer is no event stream.")
                for line in answer.iter_lines():
                    if task := following.heard(line):
                        yield task
                    if following.should_begin_again(silence):
                        return
        except httpx2.TransportError as error:
            raise Unreachable(f"The event stream broke off: {error}.") from error

    def _polled(self, task_id: UUID | str, following: Following) -> Iterator[ExportTask]:
        """The changes that polls bring, at the interval that the server asks for."""
        polls = 0
        while True:
            try:
                answer = self._send("GET", path_of(task_id), headers=following.known())
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
            sleep(max(0.0, min(pause_before_poll(polls, asked), following.left)))
            polls += 1

    def download_link(self, task_id: UUID | str) -> DownloadLink:
        """A newly signed link to the file."""
        answer = self._call(
            "GET", f"{path_of(task_id)}/download", headers={"Accept": "application/json"}
        )
        return read(DownloadLink, answer)

    def files(self, task_id: UUID | str) -> FileList:
        """The files of an export with new links; of a set also while it runs."""
        return read(FileList, self._call("GET", f"{path_of(task_id)}/files"))

    def download(self, task_id: UUID | str, path: str | os.PathLike[str]) -> Path:
        """Download the file to `path`. If `path` is a folder, the task's file name is used.

        Afterwards `path` holds the complete file, verified by SHA-256, or what it held before:
        the bytes go to a hidden file next to it, which replaces it at the end.

        Raises:
            SeveralFiles: the export is a set of files; `files` lists them.
            FileGone: the file was deleted.
            StoreRefused: the object store does not send it.
            DamagedDownload: the downloaded bytes are not the file.
        """
        task = self.get(task_id)
        if task.files is not None:
            raise SeveralFiles("The export is a set of files: take each from `files`.")
        link = self.download_link(task_id)
        target = Path(path)
        if target.is_dir():
            target /= PurePath(task.filename).name
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            if not task.is_intact(self._fetch(link.url, part), part.stat().st_size):
                raise DamagedDownload(f"The bytes downloaded for {target.name} are not the file.")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _fetch(self, url: str, part: Path) -> str:
        """Stream the bytes to a new file, and return their SHA-256."""
        digest = hashlib.sha256()
        try:
            with self._store.stream("GET", url) as answer, part.open("xb") as file:
                if answer.status_code != httpx2.codes.OK:
                    raise store_error_of(answer)
                for chunk in answer.iter_raw():
                    digest.update(chunk)
                    file.write(chunk)
        except httpx2.TransportError as error:
            raise Unreachable(f"The object store is unreachable: {error}.") from error
        return digest.hexdigest()

    def _call(
        self, method: str, path: str, *, repeat: bool = False, **request: Any
    ) -> httpx2.Response:
        """Send a request. With `repeat`, try again while the server is unavailable."""
        failures = 0
        while True:
            try:
                return self._send(method, path, **request)
            except (Unreachable, ServerFailed) as error:
                failures += 1
                if not repeat or failures == ATTEMPTS:
                    raise
                sleep(pause_before_retry(failures, error.retry_after))

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        sent = self._headers(headers)
        try:
            answer = self._api.request(method, path, headers=sent, **request)
        except httpx2.TransportError as error:
            raise Unreachable(f"{self._api.base_url.host} is unreachable: {error}.") from error
        if answer.is_success or answer.status_code == httpx2.codes.NOT_MODIFIED:
            return answer
        raise error_of(answer)

    def _headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        return {"Authorization": f"Bearer {token}", **(more or {})}
