"""A reader of server-sent events, as strict as the standard is about ids and blank lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Event:
    kind: str
    data: dict[str, Any]
    id: str | None


class EventReader:
    """Iterates over events. Silence longer than the client's timeout is an error.

    Heartbeats are kept aside. Each event has a kind and data, as the schema of a stream promises.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        #: What a browser would send when it connects again.
        self.last_id: str | None = None
        self.heartbeats: list[Event] = []
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next_or_end()) is not None:
            yield event

    def next(self) -> Event:
        """The next event; the stream must have one."""
        event = self.next_or_end()
        assert event is not None, "the stream has ended"
        return event

    def next_or_end(self) -> Event | None:
        """The next event, or None when the stream is over."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            self.last_id = fields.get("id", self.last_id)
            event = Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
            if event.kind != "heartbeat":
                return event
            self.heartbeats.append(event)
            fields = {}
        return None

    def until_id(self) -> str:
        """Read on until there is an id to come again with."""
        while self.last_id is None:
            self.next()
        return self.last_id

    def until(self, task_id: str, status: str) -> list[Event]:
        """The events up to the one that shows this task in this state."""
        seen = []
        for event in self:
            seen.append(event)
            if event.data.get("id") == task_id and event.data.get("status") == status:
                return seen
        raise AssertionError(f"the stream has ended after {seen}")


@contextmanager
def listening(
    client: httpx2.Client, path: str, last_id: str | bytes | None = None
) -> Iterator[EventReader]:
    """An open event stream."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with client.stream("GET", path, headers=headers, timeout=10) as response:
        assert response.status_code == 200, response.read()
        yield EventReader(response)
