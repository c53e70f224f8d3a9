"""Row counts with a deadline: the answer comes in time, or without a number."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowCount, RowCounter

#: Counts at once, however many users ask. Each is load on the database that exports read.
_THREADS = 4


class TimedCounter:
    """A `RowCounter` that never takes longer than twice its `within`.

    A database that accepts a connection and then stays silent never ends the statement. So counts
    run in a few threads of their own, and a late one is abandoned; its driver gives up within
    seconds.
    """

    def __init__(self, counter: RowCounter) -> None:
        self._counter = counter
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="count")

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """See `RowCounter.count`. Without a number when the database or a free thread came late."""
        answer = self._threads.submit(self._counter.count, query, within=within)
        try:
            return answer.result(2 * within.total_seconds())
        except TimeoutError:
            answer.cancel()
            return RowCount()


def timed_counters(sources: Mapping[str, RowCounter]) -> Mapping[str, TimedCounter]:
    """A timed counter for each of the databases of a process."""
    return {name: TimedCounter(source) for name, source in sources.items()}
