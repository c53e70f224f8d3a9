"""A task that runs, as its row is read from the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

RUNNING = Task(
    id=UUID(int=1),
    tenant_id="acme",
    created_by="ana",
    roles=["sales"],
    task_type="orders",
    queue="orders",
    format="xlsx",
    params={},
    filename="orders.xlsx",
    parent_id=None,
    status=TaskStatus.PROCESSING,
    error_code=None,
    error_message=None,
    attempt=1,
    retry_count=0,
    max_attempts=3,
    fence=1,
    version=7,
    next_attempt_at=None,
    cancel_requested_at=None,
    rows_done=250,
    rows_total=1000,
    bytes_uploaded=10,
    snapshot_at=None,
    object_key=None,
    size_bytes=None,
    sha256=None,
    rows_source=None,
    rows_written=None,
    warnings=None,
    download_url=None,
    url_expires_at=None,
    created_at=NOON,
    updated_at=NOON + timedelta(seconds=20),
    started_at=NOON + timedelta(seconds=10),
    finished_at=None,
    expires_at=None,
    flight_key=None,
    joined_id=None,
)
