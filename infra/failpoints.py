"""Failpoints: places where a test may kill or pause the process, to prove that nothing is lost.

``FAILPOINT=name:hit`` in the environment names one of them. The process ends itself with SIGKILL
when it passes that place for the hit-th time. A test whose processes run on chooses later, by
`arm`. ``FAILPOINT_PAUSE=name:path`` names one where a thread waits for as long as there is a file
at `path`; the other threads run on, so leases are renewed.

Without the variables a failpoint costs two comparisons. They are no settings: only tests use them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from waybill.exporter.ports import Sink
    from waybill.storage.store import Upload


#: All failpoints, and what is true when the process dies there. A test checks that each has a
#: call in the code and a crash test.
FAILPOINTS: dict[str, str] = {
    "api.before_commit": "the task is written with its wake-up, and not committed",
    "api.after_commit": "the task is committed, and its client has no answer",
    "relay.after_ack": "the broker has the wake-ups, and the outbox does not say so",
    "w.before_claim": "a message was delivered, and nothing was done with it",
    "w.after_claim": "the task is claimed, and its message not acknowledged",
    "w.batch": "some bytes of the file are written",
    "w.part": "the store has a part of the file, and its upload is open",
    "w.before_complete": "every byte is written, and the object not complete",
    "w.after_complete": "the object is there, and no task refers to it",
    "shard.part": "the store has a part of a shard, and the row of the shard does not say so",
    "shard.reached": "the row of a shard says that all up to one of its rows is written",
    "shard.before_file": "every part of a file of a set is in the store, and the file is not",
    "shard.written": "every part of a shard is in the store, and its row does not say so",
    "shard.recorded": "the row of a shard says that it is written",
    "w.after_success": "the task is SUCCESS, and the worker has not logged it",
    "schedules.claimed": "a schedule is claimed, and its slot not run",
    "schedules.before_commit": "run and task of a slot are written, and not committed",
    "schedules.after_commit": "run and task of a slot are committed",
    "notifications.after_send": "a receiver has a webhook, and its delivery is not recorded",
}

#: How often a paused thread looks for its file.
_PAUSE_SECONDS = 0.02


class _Armed:
    """The failpoint at which this process ends, if there is one."""

    def __init__(self, order: str) -> None:
        self.set(order)

    def set(self, order: str) -> None:
        self.name, _, hit = order.partition(":")
        self._hits_left = int(hit) if hit.isdecimal() else 1

    def pass_by(self) -> None:
        self._hits_left -= 1
        if self._hits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Pause:
    """The failpoint at which threads of this process wait, if there is one."""

    def __init__(self, order: str) -> None:
        self.name, _, path = order.partition(":")
        self._file = Path(path)

    def pass_by(self) -> None:
        while self._file.exists():
            time.sleep(_PAUSE_SECONDS)


_armed = _Armed(os.environ.get("FAILPOINT", ""))
_pause = _Pause(os.environ.get("FAILPOINT_PAUSE", ""))


def arm(order: str) -> None:
    """Choose the failpoint of this process, as ``name:hit``; hits count from now on."""
    _armed.set(order)


def failpoint(name: str) -> None:
    """Pause or kill the process here if the environment asks for it.

    `name` is one of `FAILPOINTS`.
    """
    if name == _pause.name:
        _pause.pass_by()
    if name == _armed.name:
        _armed.pass_by()


def _is_any_set() -> bool:
    return bool(_armed.name or _pause.name)


def failing(upload: Upload) -> Sink:
    """`upload` itself; when a failpoint is set, a sink around it with two failpoints."""
    return _FailingSink(upload) if _is_any_set() else upload


def failing_write(target: Writes) -> Callable[[bytes], None]:
    """The same for something that is only written to."""
    return _FailingWrites(target).write if _is_any_set() else target.write


class Writes(Protocol):
    """What bytes are written to, on their way to a store."""

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""
        ...

    def write(self, data: bytes) -> None:
        """Append `data`."""
        ...


class _FailingWrites:
    def __init__(self, target: Writes) -> None:
        self._target = target
        self._confirmed = 0

    def write(self, data: bytes) -> None:
        self._target.write(data)
        failpoint("w.batch")
        if self._target.bytes_uploaded > self._confirmed:
            self._confirmed = self._target.bytes_uploaded
            failpoint("w.part")


class _FailingSink(_FailingWrites):
    def __init__(self, upload: Upload) -> None:
        super().__init__(upload)
        self._upload = upload

    def expect(self, size_bytes: int, crc32: int) -> None:
        self._upload.expect(size_bytes, crc32)
