"""Reasons for a worker to stop an attempt, besides a cancellation of the task."""

from __future__ import annotations

from waybill.exporter.errors import ExportStopped


class LeaseLost(ExportStopped):
    """Another worker has taken this task over."""

    code = "lease_lost"


class WorkerStopping(ExportStopped):
    """The worker is shutting down; another one will start this task again."""

    code = "worker_stopping"
