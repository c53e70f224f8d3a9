"""Figures of `/metrics` from the database: counted once in ten seconds, however many ask."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.metrics.catalogue import (
    DATABASE_UP,
    DEAD_LETTERS,
    LEASE_AGE,
    NEXT_CUT,
    NOTIFICATIONS,
    OPEN_UPLOADS,
    OUTBOX_AGE,
    OUTBOX_WAITING,
    PAUSED,
    QUEUE_OLDEST,
    QUEUE_RUNNING,
    QUEUE_WAITING,
    TABLE_BYTES,
    TASKS,
    WORKER_SLOTS,
    WORKERS,
)
from waybill.infra.metrics.recording import gauge
from waybill.infra.services import Services

log = logging.getLogger(__name__)


class Figures:
    """Counts over all tenants. No label holds a tenant or a user. Belongs to one event loop."""

    def __init__(
        self,
        services: Services,
        *,
        max_age: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns seconds."""
        self._services = services
        self._max_age = max_age.total_seconds()
        self._clock = clock
        # One of its own: those who ask often do not take the threads of requests.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._answer: asyncio.Future[list[GaugeMetricFamily]] | None = None
        self._asked_at = 0.0

    async def ask(self) -> list[GaugeMetricFamily]:
        """The figures, at most `max_age` old. All who ask meanwhile share one answer.

        While the database is away there is one figure only, which says so.
        """
        now = self._clock()
        is_old = now - self._asked_at >= self._max_age
        if self._answer is None or (self._answer.done() and is_old):
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._thread, self._count_if_possible)
            self._asked_at = now
        return await asyncio.shield(self._answer)

    def close(self) -> None:
        """Count no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _count_if_possible(self) -> list[GaugeMetricFamily]:
        try:
            return [gauge(DATABASE_UP, 1), *self._count()]
        except SQLAlchemyError as error:
            log.warning("figures without the database", extra={"why": type(error).__name__})
            return [gauge(DATABASE_UP, 0)]

    def _count(self) -> list[GaugeMetricFamily]:
        tasks, deliveries, paused = gauge(TASKS), gauge(NOTIFICATIONS), gauge(PAUSED)
        for status, count in self._services.requests.count_by_status().items():
            tasks.add_metric([status], count)
        for labels, count in self._services.notifications.count_by_result().items():
            deliveries.add_metric(labels, count)
        for item in self._services.pauses.all():
            paused.add_metric([item.kind, item.name], 1)
        backlogs = self._services.admin_queries.backlogs(self._services.settings.lease)
        return [
            tasks,
            gauge(DEAD_LETTERS, self._services.dead_letters.count_open()),
            deliveries,
            *self._count_queues(backlogs.running),
            paused,
            *self._count_tables(),
            gauge(LEASE_AGE, backlogs.lease_age.total_seconds()),
            gauge(OUTBOX_WAITING, backlogs.outbox_waiting),
            gauge(OUTBOX_AGE, backlogs.outbox_age.total_seconds()),
            gauge(OPEN_UPLOADS, backlogs.open_uploads),
        ]

    def _count_tables(self) -> list[GaugeMetricFamily]:
        sizes, cuts = gauge(TABLE_BYTES), gauge(NEXT_CUT)
        queries, keep = self._services.admin_queries, self._services.settings.kept_by_table
        for table, size in queries.table_sizes().items():
            sizes.add_metric([table], size)
        for table, cut in queries.next_cuts(keep).items():
            cuts.add_metric([table], cut.timestamp())
        return [sizes, cuts]

    def _count_queues(self, running: Mapping[str, int]) -> list[GaugeMetricFamily]:
        workers, slots, waiting = gauge(WORKERS), gauge(WORKER_SLOTS), gauge(QUEUE_WAITING)
        oldest, active = gauge(QUEUE_OLDEST), gauge(QUEUE_RUNNING)
        now = datetime.now(UTC)
        for item in self._services.workers.by_queue(self._services.registry.queues):
            since = item.oldest_waiting_since
            workers.add_metric([item.queue], item.workers)
            slots.add_metric([item.queue], item.slots)
            waiting.add_metric([item.queue], item.waiting)
            age = (now - since).total_seconds() if since else 0
            oldest.add_metric([item.queue], max(0.0, age))
            active.add_metric([item.queue], running.get(item.queue, 0))
        return [workers, slots, waiting, oldest, active]
