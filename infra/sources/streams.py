"""What sources that make a stream for each question have in common: opening it, counting by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from threading import Timer
from typing import Protocol, TypeVar

from waybill.exporter.ports import RowCount
from waybill.infra.sources.errors import ReadCancelled


class _Stream(Protocol):
    def begin(self) -> None: ...

    def count_rows(self) -> int: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


_S = TypeVar("_S", bound=_Stream)


@contextmanager
def begun(stream: _S) -> Iterator[_S]:
    """`stream` with its snapshot; closed at the end, also when it cannot begin."""
    try:
        stream.begin()
        yield stream
    finally:
        stream.close()


@contextmanager
def begun_together(streams: Sequence[_S]) -> Iterator[Sequence[_S]]:
    """All `streams`, which read in the snapshot of the first; that one is closed last."""
    with ExitStack() as stack:
        for stream in streams:
            stack.enter_context(begun(stream))
        yield streams


def count_within(stream: _Stream, within: timedelta) -> RowCount:
    """The rows that `stream` counts, if that takes no longer than `within`; else no number."""
    alarm = Timer(within.total_seconds(), stream.cancel)
    alarm.daemon = True
    alarm.start()
    try:
        with begun(stream):
            return RowCount(counted=stream.count_rows())
    except ReadCancelled:
        return RowCount()
    finally:
        alarm.cancel()
