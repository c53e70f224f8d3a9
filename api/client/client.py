"""A small client of Waybill's HTTP API, on httpx: submit, wait, download.

It imports nothing of the server. Errors are in `waybill.api.client.answers`; each carries the
stable code that the server gave.
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

import httpx

from waybill.api.client.answers import (
    DamagedDownload,
    DownloadLink,
    Estimate,
    ExportFailed,
    ExportTask,
    ServerFailed,
    Status,
    StillRunning,
    TaskPage,
    TooMany,
    Unreachable,
    error_of,
    read,
    retry_after_of,
)

_TASKS = "/api/export-tasks"
#: Seconds between looks where the server does not say: those of the contract.
_POLL_SECONDS = (2.0, 4.0, 8.0, 15.0)
#: A server that asks for more is not waited for that long without a look.
_LONGEST_POLL_SECONDS = 60.0
#: How often what may be repeated is tried when the server is away.
_TRIES = 3


class Waybill:
    """One server, as one user. Not for several threads at once. Use it as a context manager.

    `token` may be a function, called for each request: tokens end, and long waits outlive them.
    Every method raises `Unreachable` or a kind of `ApiError` when it does not succeed.
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
        self._api = httpx.Client(base_url=url, timeout=seconds, verify=tls)
        # Links carry their own signature; the token is nobody's business there.
        self._store = httpx.Client(timeout=seconds, verify=tls)

    def __enter__(self) -> Self:
        """Nothing is connected before the first call."""
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
    ) -> ExportTask:
        """Ask for an export. `notify` names a `webhook`, an `email`, or both.

        Asked once, however often the network breaks: each call has an `Idempotency-Key`. Give
        one of your own to make that hold for several calls, or after a crash of your program.
        """
        body: dict[str, Any] = _request(type, format, params)
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
    ) -> Estimate:
        """What an export would come to. Nothing is started, and nothing is promised."""
        body = _request(type, format, params)
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
        """The caller's tasks, newest first, read part by part as they are taken."""
        query: dict[str, Any] = {"status": list(status), "page_size": page_size, "cursor": ""}
        if type is not None:
            query["type"] = type
        while query["cursor"] is not None:
            page = read(TaskPage, self._call("GET", _TASKS, repeat=True, params=query))
            yield from page.items
            query["cursor"] = page.next

    def cancel(self, task_id: UUID | str) -> ExportTask:
        """Cancel a live task; one that runs stops at its worker's next heartbeat."""
        answer = self._call("POST", f"{_path(task_id)}/cancel", repeat=True)
        return read(ExportTask, answer)

    def retry(self, task_id: UUID | str) -> ExportTask:
        """Ask again for an export that ended without a file; the answer is a new task."""
        answer = self._call("POST", f"{_path(task_id)}/retry")
        return read(ExportTask, answer)

    def delete(self, task_id: UUID | str) -> None:
        """Forget an ended task and its file."""
        self._call("DELETE", _path(task_id))

    def wait(
        self,
        task_id: UUID | str,
        *,
        timeout: timedelta = timedelta(hours=1),
        on_change: Callable[[ExportTask], object] | None = None,
    ) -> ExportTask:
        """Wait until the file is there, looking as often as the server asks for.

        A server that is away for a while is waited for as well. `on_change` gets the task each
        time it has changed, to show progress.

        Raises:
            ExportFailed: it ended without a file.
            StillRunning: `timeout` is over. The export goes on; wait again, or look later.
        """
        deadline = monotonic() + timeout.total_seconds()
        task: ExportTask | None = None
        known: dict[str, str] = {}
        looks = 0
        while True:
            try:
                answer = self._send("GET", _path(task_id), headers=known)
            except (Unreachable, ServerFailed, TooMany) as error:
                if task is None and monotonic() >= deadline:
                    raise
                asked = error.retry_after
            else:
                asked = retry_after_of(answer)
                if answer.status_code != httpx.codes.NOT_MODIFIED:
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
            sleep(max(0.0, min(_pause(looks, asked), left)))
            looks += 1

    def download_link(self, task_id: UUID | str) -> DownloadLink:
        """A freshly signed link to the file."""
        answer = self._call(
            "GET", f"{_path(task_id)}/download", headers={"Accept": "application/json"}
        )
        return read(DownloadLink, answer)

    def download(self, task_id: UUID | str, path: str | os.PathLike[str]) -> Path:
        """Fetch the file into `path`, or into that folder under the task's own file name.

        What is at `path` afterwards is the whole file, by its SHA-256, or what was there
        before: the bytes go to a hidden file beside it, which takes its place at the end.

        Raises:
            DamagedDownload: what came is not the file.
        """
        link = self.download_link(task_id)
        task = self.get(task_id)
        target = Path(path)
        if target.is_dir():
            target /= PurePath(task.filename).name
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            if self._fetch(link.url, part) != task.sha256:
                raise DamagedDownload(f"What came for {target.name} is not the file.")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _fetch(self, url: str, part: Path) -> str:
        """Stream to a new file; the SHA-256 of what came."""
        digest = hashlib.sha256()
        try:
            with self._store.stream("GET", url) as answer, part.open("xb") as file:
                if answer.status_code != httpx.codes.OK:
                    raise error_of(answer)
                for chunk in answer.iter_raw():
                    digest.update(chunk)
                    file.write(chunk)
        except httpx.TransportError as error:
            raise Unreachable(f"The object store: {error}.") from error
        return digest.hexdigest()

    def _call(
        self, method: str, path: str, *, repeat: bool = False, **request: Any
    ) -> httpx.Response:
        """Send, and again when the server is away, if that cannot do a thing twice."""
        tried = 0
        while True:
            try:
                return self._send(method, path, **request)
            except (Unreachable, ServerFailed) as error:
                if not repeat or tried == _TRIES - 1:
                    raise
                sleep(_pause(tried, error.retry_after))
                tried += 1

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        token = self._token if isinstance(self._token, str) else self._token()
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        try:
            answer = self._api.request(method, path, headers=sent, **request)
        except httpx.TransportError as error:
            raise Unreachable(f"{self._api.base_url.host}: {error}.") from error
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        raise error_of(answer)


def _request(name: str, format_name: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": name, "format": format_name, "params": dict(params or {})}


def _path(task_id: UUID | str) -> str:
    # Nothing but an id may become a part of the address.
    return f"{_TASKS}/{UUID(str(task_id))}"


def _pause(looks: int, asked: float | None) -> float:
    wanted = _POLL_SECONDS[min(looks, len(_POLL_SECONDS) - 1)] if asked is None else asked
    return min(wanted, _LONGEST_POLL_SECONDS)


def _with_file(task: ExportTask) -> ExportTask:
    if task.status != "SUCCESS":
        raise ExportFailed(task)
    return task
