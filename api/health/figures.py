"""Figures of `/metrics` from the database: counted once in ten seconds, however many ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from prometheus_client.core import GaugeMetricFamily

from waybill.infra.services import Services


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

        Raises:
            SQLAlchemyError: the database is away; this answer is shared, too.
        """
        now = self._clock()
        is_old = now - self._asked_at >= self._max_age
        if self._answer is None or (self._answer.done() and is_old):
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._thread, self._count)
            self._asked_at = now
        return await asyncio.shield(self._answer)

    def close(self) -> None:
        """Count no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _count(self) -> list[GaugeMetricFamily]:
        tasks = GaugeMetricFamily("waybill_tasks", "Export tasks by status.", labels=["status"])
        for status, count in self._services.requests.count_by_status().items():
            tasks.add_metric([status], count)
        dead_letters = GaugeMetricFamily(
            "waybill_dead_letters",
            "Dead letters to be handled; alert on more than 0.",
            value=self._services.dead_letters.count_open(),
        )
        deliveries = GaugeMetricFamily(
            "waybill_notifications",
            "Recorded webhook and mail deliveries by result; alert on given_up.",
            labels=["channel", "result"],
        )
        for labels, count in self._services.notifications.count_by_result().items():
            deliveries.add_metric(labels, count)
        workers = GaugeMetricFamily(
            "waybill_workers",
            "Workers alive by their heartbeat, by queue; alert on 0.",
            labels=["queue"],
        )
        slots = GaugeMetricFamily(
            "waybill_worker_slots",
            "Exports of the queue that its living workers run at most.",
            labels=["queue"],
        )
        waiting = GaugeMetricFamily(
            "waybill_queue_waiting",
            "Exports that wait for a worker, by queue.",
            labels=["queue"],
        )
        oldest = GaugeMetricFamily(
            "waybill_queue_oldest_waiting_seconds",
            "Age of the export that has waited longest, by queue; 0 when none waits.",
            labels=["queue"],
        )
        now = datetime.now(UTC)
        for item in self._services.workers.by_queue(self._services.registry.queues):
            since = item.oldest_waiting_since
            workers.add_metric([item.queue], item.workers)
            slots.add_metric([item.queue], item.slots)
            waiting.add_metric([item.queue], item.waiting)
            age = (now - since).total_seconds() if since else 0
            oldest.add_metric([item.queue], max(0.0, age))
        return [tasks, dead_letters, deliveries, workers, slots, waiting, oldest]
