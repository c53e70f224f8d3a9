"""What the synchronous and the asynchronous client share: bodies, addresses, waits and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, TypedDict, Unpack
from uuid import UUID

import httpx2

from waybill.api.client.answers import ExportTask
from waybill.api.client.errors import ExportFailed, StillRunning, parsed, read
from waybill.timing import backoff

TASKS = "/api/export-tasks"
APPROVALS = "/api/approvals"
#: Attempts of a repeatable request while the server is unavailable.
ATTEMPTS = 3
#: A little more than the server's interval between two heartbeats.
HEARTBEAT_SECONDS = 16.0
#: Two heartbeats of the server and some delay. A stream that is silent for longer is dead.
SILENCE_SECONDS = 35.0
#: Seconds between polls if the server states none. From the API contract.
_POLL_SECONDS = (2.0, 4.0, 8.0, 15.0)
#: The longest wait between two requests, even if the server asks for more.
_LONGEST_WAIT_SECONDS = 60.0
#: The wait before the second attempt, doubled for the third, if the server states none.
_FIRST_RETRY_SECONDS = 2.0


class Chosen(TypedDict, total=False):
    """What a request chooses for its file. What is left out, or None, is as the dataset has it."""

    #: Chosen, in order, and renamed: ``["id", {"name": "total", "label": "Sum"}]``.
    columns: Sequence[str | Mapping[str, str]] | None
    #: ``["-total"]`` for descending.
    sort: Sequence[str | Mapping[str, Any]] | None
    #: An IANA name.
    timezone: str | None
    #: The language of the headings.
    lang: Literal["en", "zh"] | None
    #: How CSV is written: ``{"profile": "excel-semicolon"}``.
    csv: Mapping[str, Any] | None
    #: From which size on several workers write it: ``{"from_rows": 10_000_000}``, or
    #: ``{"never": True}``.
    sharding: Mapping[str, Any] | None
    #: What the file is needed for, where the dataset asks.
    reason: str | None
    #: True: the file gets a password, which `ExportTask.password` of the answer tells once. Or a
    #: password of yours.
    password: bool | str | None


def export_request(
    name: str, format_name: str, params: Mapping[str, Any] | None, **chosen: Unpack[Chosen]
) -> dict[str, Any]:
    """The body that asks for an export, or for its estimate.

    Raises:
        TypeError: there is no such choice.
    """
    if unknown := chosen.keys() - Chosen.__annotations__.keys():
        raise TypeError(f"There is no argument {min(unknown)!r}.")
    body = {"type": name, "format": format_name, "params": dict(params or {})}
    return body | {key: value for key, value in chosen.items() if value is not None}


def path_of(task_id: UUID | str) -> str:
    """The address of a task. Only an id may become a part of it: `ValueError` for other texts."""
    return f"{TASKS}/{UUID(str(task_id))}"


def pause_before_poll(polls: int, asked: float | None) -> float:
    """Seconds before the next poll, after `polls`; `asked` is what the server says."""
    if asked is not None:
        return min(asked, _LONGEST_WAIT_SECONDS)
    return _POLL_SECONDS[min(polls, len(_POLL_SECONDS) - 1)]


def pause_before_retry(failures: int, asked: float | None) -> float:
    """Seconds before the same request is sent again."""
    if asked is not None:
        return min(asked, _LONGEST_WAIT_SECONDS)
    return backoff(failures, first=_FIRST_RETRY_SECONDS, longest=_LONGEST_WAIT_SECONDS, jitter=0.0)


def with_file(task: ExportTask) -> ExportTask:
    """`task`, which has ended; `ExportFailed` if it has no file."""
    if task.status != "SUCCESS":
        raise ExportFailed(task)
    return task


@dataclass
class Following:
    """How far following a task has come: what was seen of it, and which way is tried next."""

    deadline: float
    #: Seconds on the clock that `deadline` is on.
    clock: Callable[[], float] = monotonic
    task: ExportTask | None = None
    failures: int = 0
    #: The event that is being received.
    _event: str = field(default="", init=False)
    _data: list[str] = field(default_factory=list, init=False)
    #: Of the state that the last poll brought.
    _tag: str | None = field(default=None, init=False)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock()

    @property
    def by_events(self) -> bool:
        """Whether an event stream is worth another try; if not, polls go on."""
        return self.failures < ATTEMPTS

    @property
    def silence(self) -> float:
        """Seconds after which a stream that says nothing is given up."""
        return max(0.1, min(SILENCE_SECONDS, self.left))

    def should_begin_again(self, silence: float) -> bool:
        """Whether a stream with this time limit would not notice the deadline."""
        return self.left < silence - HEARTBEAT_SECONDS

    def pause(self, asked: float | None) -> float:
        """Seconds before the next stream is opened."""
        return min(pause_before_retry(self.failures, asked), self.silence)

    def check_time(self) -> None:
        """Raise `StillRunning` after the deadline, once the task is known."""
        if self.task and self.left <= 0:
            raise StillRunning(self.task)

    def news(self, task: ExportTask) -> ExportTask | None:
        """`task` if it is another state than the last one that was seen."""
        known, self.task = self.task, task
        return None if known == task else task

    def known(self) -> dict[str, str]:
        """Headers of a poll: no body for the state that is known."""
        return {"If-None-Match": self._tag} if self._tag else {}

    def polled(self, answer: httpx2.Response) -> ExportTask | None:
        """Read the answer to a poll; the task if it is in a new state."""
        if answer.status_code == httpx2.codes.NOT_MODIFIED:
            return None
        self._tag = answer.headers.get("ETag")
        return self.news(read(ExportTask, answer))

    def heard(self, line: str) -> ExportTask | None:
        """Read a line of an event stream; the task, at the end of an event with a new state."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif line == "":
            event, data = self._event, "\n".join(self._data)
            self._event, self._data = "", []
            if event == "task":
                self.failures = 0
                return self.news(parsed(ExportTask, data))
        return None

    def forget_part(self) -> None:
        """Drop an event that broke off in the middle."""
        self._event, self._data = "", []


def ended(following: Following) -> ExportTask:
    """The task, once polls have ended."""
    if following.task is None:
        raise AssertionError("polls end with a task")
    return following.task


def is_event_stream(content_type: str) -> bool:
    """Whether an answer is a stream; a proxy's page is not."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"
