"""Counting rows for somebody who waits: the answer comes in time, or it comes without a number."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowCount, RowCounter

#: So many counts at once, however many people ask: they are a courtesy to the asker, and
#: load for the database that exports are read from.
_THREADS = 4


class TimedCounter:
    """A `RowCounter` that never takes longer than twice its `within`.

    A database that accepts a connection and stays silent ends no statement. So counts run in
    threads of their own, a few, and one that is late is left behind; its driver gives up by
    itself within seconds.
    """

    def __init__(self, counter: RowCounter) -> None:
        self._counter = counter
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="count")

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """See `RowCounter.count`; no number when the database, or a free thread, was late."""
        answer = self._threads.submit(self._counter.count, query, within=within)
        try:
            return answer.result(2 * within.total_seconds())
        except TimeoutError:
            answer.cancel()
            return RowCount()


def timed_counters(sources: Mapping[str, RowCounter]) -> Mapping[str, TimedCounter]:
    """A timed counter for each of the databases of a process."""
    return {name: TimedCounter(source) for name, source in sources.items()}
