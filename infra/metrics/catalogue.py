"""The catalogue of metrics: names, kinds, labels and help texts, in one place.

Processes record from it, `/metrics` shows it, `docs/metrics.md` is made of it, and tests hold alert
rules and the dashboard against it. Names follow Prometheus: base units, `_total` on counters. No
label holds a tenant, a user or a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a series counts, as Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Origin(StrEnum):
    """Who has the value, and so which processes show it."""

    #: Counted by the process that does the work; each shows its own.
    PROCESS = "process"
    #: Counted in the task database; every API process shows the same.
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `buckets` are the upper bounds of a histogram, in its unit."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    origin: Origin = Origin.PROCESS


_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400)
_ROWS = tuple(10.0**power for power in range(1, 10))
_BYTES = tuple(4.0**power * 1024 for power in range(2, 14))


def _of_database(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels, origin=Origin.DATABASE)


EXPORTS_ACCEPTED = Metric(
    "waybill_exports_accepted_total",
    Kind.COUNTER,
    "Requests for an export that were answered with a task: `queued` for a run of its own, "
    "`joined` to an equal run, `reused` with a fresh file, `repeated` with a task that was there.",
    ("dataset", "result"),
)
QUEUE_WAIT = Metric(
    "waybill_queue_wait_seconds",
    Kind.HISTOGRAM,
    "Time from the request of an export to its first claim.",
    ("queue",),
    _SECONDS,
)
ATTEMPT_DURATION = Metric(
    "waybill_attempt_duration_seconds",
    Kind.HISTOGRAM,
    "Time of one attempt: `success`, `retried`, `failed`, `cancelled`, `released` by a worker that "
    "ends, `lost` with its lease. Time in which it stepped aside for others counts.",
    ("dataset", "outcome"),
    _SECONDS,
)
ATTEMPT_FAILURES = Metric(
    "waybill_attempt_failures_total",
    Kind.COUNTER,
    "Attempts that failed, by error code; `retried` is `true` when another attempt follows.",
    ("dataset", "code", "retried"),
)
EXPORT_ROWS = Metric(
    "waybill_export_rows",
    Kind.HISTOGRAM,
    "Rows of each finished file.",
    ("dataset", "format"),
    _ROWS,
)
EXPORT_BYTES = Metric(
    "waybill_export_bytes",
    Kind.HISTOGRAM,
    "Size of each finished file.",
    ("dataset", "format"),
    _BYTES,
)
WAKE_UPS = Metric(
    "waybill_wake_ups_published_total",
    Kind.COUNTER,
    "Messages that the relay published: `confirmed` by the broker, or `refused`.",
    ("result",),
)
EVENT_STREAMS = Metric(
    "waybill_event_streams",
    Kind.GAUGE,
    "Event streams open in this process and in those that share its socket.",
)
BUILD_INFO = Metric(
    "waybill_build_info", Kind.GAUGE, "1, with the version of this process.", ("version",)
)
DATABASE_UP = Metric(
    "waybill_database_up",
    Kind.GAUGE,
    "Whether the task database answered: 1 or 0. While it is 0, what is counted there is missing.",
)
TASKS = _of_database("waybill_tasks", "Export tasks by status.", "status")
DEAD_LETTERS = _of_database(
    "waybill_dead_letters", "Dead letters to be handled; alert on more than 0."
)
NOTIFICATIONS = _of_database(
    "waybill_notifications",
    "Recorded webhook and mail deliveries by result; alert on given_up.",
    "channel",
    "result",
)
WORKERS = _of_database(
    "waybill_workers", "Workers alive by their heartbeat, by queue; alert on 0.", "queue"
)
WORKER_SLOTS = _of_database(
    "waybill_worker_slots", "Exports of the queue that its living workers run at most.", "queue"
)
QUEUE_WAITING = _of_database(
    "waybill_queue_waiting", "Exports that wait for a worker, by queue.", "queue"
)
QUEUE_OLDEST = _of_database(
    "waybill_queue_oldest_waiting_seconds",
    "Age of the export that has waited longest, by queue; 0 when none waits.",
    "queue",
)
QUEUE_RUNNING = _of_database("waybill_queue_running", "Exports that run, by queue.", "queue")
PAUSED = _of_database(
    "waybill_paused", "1 for each queue and each dataset that an operator paused.", "kind", "name"
)
TABLE_BYTES = _of_database(
    "waybill_table_bytes", "Size of each table with its indexes, where the database says.", "table"
)
NEXT_CUT = _of_database(
    "waybill_next_cut_timestamp_seconds",
    "When the oldest row of each table is due to be deleted (Unix time), where rows go by age; "
    "hours ago where no sweeper keeps up.",
    "table",
)
LEASE_AGE = _of_database(
    "waybill_lease_age_seconds",
    "Time since the lease that was renewed longest ago was renewed; 0 without leases. Above "
    "WAYBILL_LEASE_SECONDS its worker is silent, and a sweeper is about to rescue the task.",
)
OUTBOX_WAITING = _of_database(
    "waybill_outbox_waiting", "Wake-ups that are committed and not yet published."
)
OUTBOX_AGE = _of_database(
    "waybill_outbox_age_seconds",
    "Age of the wake-up that has waited longest for the broker; 0 when none waits.",
)
OPEN_UPLOADS = _of_database(
    "waybill_open_uploads",
    "Files on record that no finished task refers to: being written, or about to be deleted.",
)

#: Every metric, in the order of the reference.
CATALOGUE: tuple[Metric, ...] = (
    *(EXPORTS_ACCEPTED, QUEUE_WAIT, ATTEMPT_DURATION, ATTEMPT_FAILURES, EXPORT_ROWS, EXPORT_BYTES),
    *(WAKE_UPS, EVENT_STREAMS, BUILD_INFO, DATABASE_UP, TASKS, DEAD_LETTERS, NOTIFICATIONS),
    *(WORKERS, WORKER_SLOTS, QUEUE_WAITING, QUEUE_OLDEST, QUEUE_RUNNING),
    *(PAUSED, TABLE_BYTES, NEXT_CUT, LEASE_AGE, OUTBOX_WAITING, OUTBOX_AGE, OPEN_UPLOADS),
)
