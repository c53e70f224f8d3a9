"""The Python client of Waybill's HTTP API: submit an export, wait for it, download the file.

It imports no module of the server. `waybill.client` is its public face. Errors are in
`waybill.api.client.errors`; each `ApiError` has the stable code that the server sent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from time import monotonic, sleep
from typing import Any, Self
from uuid import UUID, uuid4

import httpx2

from waybill.api.client.answers import DownloadLink, Estimate, ExportTask, Status, TaskPage
from waybill.api.client.errors import (
    DamagedDownload,
    ExportFailed,
    ServerFailed,
    StillRunning,
    TooMany,
    Unreachable,
    error_of,
    read,
    retry_after_of,
    store_error_of,
)
from waybill.timing import backoff

_TASKS = "/api/export-tasks"
#: Seconds between polls if the server states none. From the API contract.
_POLL_SECONDS = (2.0, 4.0, 8.0, 15.0)
#: The longest wait between two requests, even if the server asks for more.
_LONGEST_WAIT_SECONDS = 60.0
#: Attempts of a repeatable request while the server is unavailable.
_ATTEMPTS = 3
#: The wait before the second attempt, doubled for the third, if the server states none.
_FIRST_RETRY_SECONDS = 2.0


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
        csv: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> ExportTask:
        """Submit an export. `notify` names a `webhook`, an `email`, or both.

        `csv` says how CSV is written: ``{"profile": "excel-semicolon"}``.

        A call starts one export, even if the network fails and the request is repeated: it sends
        an `Idempotency-Key`. Pass your own key to get the same guarantee across several calls,
        or after your program crashed.
        """
        body = _request(type, format, params, csv)
        body |= {"filename": filename, "notify": dict(notify) if notify else None}
        key = {"Idempotency-Key": idempotency_key or uuid4().hex}
        answer = self._call("POST", _TASKS, repeat=True, json=body, headers=key)
        return read(ExportTask, answer)

    def estimate(
        self,
        type: str,  # noqa: A002 - the contract's name
        *,
        format: str = "xlsx",  # noqa: A002 - the contract's name
        params: Mapping[str, Any] | None = None,
        csv: Mapping[str, Any] | None = None,
    ) -> Estimate:
        """Estimate an export without starting it. The result is not a promise."""
        body = _request(type, format, params, csv)
        return read(Estimate, self._call("POST", f"{_TASKS}/estimate", repeat=True, json=body))

    def get(self, task_id: UUID | str) -> ExportTask:
        """One task, as it is now."""
        answer = self._call("GET", _path(task_id), repeat=True)
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
            page = read(TaskPage, self._call("GET", _TASKS, repeat=True, params=query))
            yield from page.items
            query["cursor"] = page.next

    def cancel(self, task_id: UUID | str) -> ExportTask:
        """Cancel a live task. A running one stops at the next heartbeat of its worker."""
        answer = self._call("POST", f"{_path(task_id)}/cancel", repeat=True)
        return read(ExportTask, answer)

    def retry(self, task_id: UUID | str) -> ExportTask:
        """Submit an export that ended without a file again. The result is a new task."""
        answer = self._call("POST", f"{_path(task_id)}/retry")
        return read(ExportTask, answer)

    def delete(self, task_id: UUID | str) -> None:
        """Delete an ended task and its file."""
        self._call("DELETE", _path(task_id))

    def wait(
        self,
        task_id: UUID | str,
        *,
        timeout: timedelta = timedelta(hours=1),
        on_change: Callable[[ExportTask], object] | None = None,
    ) -> ExportTask:
        """Wait until the file is ready, polling at the interval that the server asks for.

        Outages of the server do not end the wait. `on_change` is called with the task each time
        it has changed, to show progress.

        Raises:
            ExportFailed: the export ended without a file.
            StillRunning: `timeout` is over. The export continues; call `wait` again later.
        """
        deadline = monotonic() + timeout.total_seconds()
        task: ExportTask | None = None
        known: dict[str, str] = {}
        polls = 0
        while True:
            try:
                answer = self._send("GET", _path(task_id), headers=known)
            except (Unreachable, ServerFailed, TooMany) as error:
                if task is None and monotonic() >= deadline:
                    raise
                asked = error.retry_after
            else:
                asked = retry_after_of(answer)
                if answer.status_code != httpx2.codes.NOT_MODIFIED:
                    task = read(ExportTask, answer)
                    tag = answer.headers.get("ETag")
                    known = {"If-None-Match": tag} if tag else {}
                    if on_change:
                        on_change(task)
                if task and task.ended:
                    return _with_file(task)
            left = deadline - monotonic()
            if task and left <= 0:
                raise StillRunning(task)
            sleep(max(0.0, min(_pause_before_poll(polls, asked), left)))
            polls += 1

    def download_link(self, task_id: UUID | str) -> DownloadLink:
        """A newly signed link to the file."""
        answer = self._call(
            "GET", f"{_path(task_id)}/download", headers={"Accept": "application/json"}
        )
        return read(DownloadLink, answer)

    def download(self, task_id: UUID | str, path: str | os.PathLike[str]) -> Path:
        """Download the file to `path`. If `path` is a folder, the task's file name is used.

        Afterwards `path` holds the complete file, verified by SHA-256, or what it held before:
        the bytes go to a hidden file next to it, which replaces it at the end.

        Raises:
            FileGone: the file was deleted.
            StoreRefused: the object store does not send it.
            DamagedDownload: the downloaded bytes are not the file.
        """
        link = self.download_link(task_id)
        task = self.get(task_id)
        target = Path(path)
        if target.is_dir():
            target /= PurePath(task.filename).name
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            if self._fetch(link.url, part) != task.sha256:
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
                if not repeat or failures == _ATTEMPTS:
                    raise
                sleep(_pause_before_retry(failures, error.retry_after))

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx2.Response:
        token = self._token if isinstance(self._token, str) else self._token()
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        try:
            answer = self._api.request(method, path, headers=sent, **request)
        except httpx2.TransportError as error:
            raise Unreachable(f"{self._api.base_url.host} is unreachable: {error}.") from error
        if answer.is_success or answer.status_code == httpx2.codes.NOT_MODIFIED:
            return answer
        raise error_of(answer)


def _request(
    name: str,
    format_name: str,
    params: Mapping[str, Any] | None,
    csv: Mapping[str, Any] | None,
) -> dict[str, Any]:
    body = {"type": name, "format": format_name, "params": dict(params or {})}
    return body if csv is None else {**body, "csv": dict(csv)}


def _path(task_id: UUID | str) -> str:
    # Only an id may become a part of the address.
    return f"{_TASKS}/{UUID(str(task_id))}"


def _pause_before_poll(polls: int, asked: float | None) -> float:
    if asked is not None:
        return min(asked, _LONGEST_WAIT_SECONDS)
    return _POLL_SECONDS[min(polls, len(_POLL_SECONDS) - 1)]


def _pause_before_retry(failures: int, asked: float | None) -> float:
    if asked is not None:
        return min(asked, _LONGEST_WAIT_SECONDS)
    return backoff(failures, first=_FIRST_RETRY_SECONDS, longest=_LONGEST_WAIT_SECONDS, jitter=0.0)


def _with_file(task: ExportTask) -> ExportTask:
    if task.status != "SUCCESS":
        raise ExportFailed(task)
    return task
