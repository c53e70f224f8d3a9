"""Rows that are old enough to be pruned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.notification_rows import submitted
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import (
    dead_letter,
    notification,
    outbox,
    revocation,
    row_usage,
    throttled_queue,
    token_bucket,
)
from waybill.infra.db.token_buckets import microseconds

#: Older than anything that is kept.
LONG_AGO = datetime.now(UTC) - timedelta(days=91)


def add_old_rows(engine: Engine, count: int) -> None:
    """`count` old rows in each table that is pruned by age, of one task that stays."""
    task = submitted(engine)
    for number in range(count):
        name = f"old-{number}"
        rows: dict[sa.Table, dict[str, object]] = {
            outbox: {
                "task_id": task.id,
                "kind": name,
                "fence": 0,
                "queue": "orders",
                "available_at": LONG_AGO,
                "published_at": LONG_AGO,
            },
            notification: {
                "id": uuid4(),
                "task_id": uuid4(),
                "tenant_id": "acme",
                "user_id": "ann",
                "channel": "notice",
                "event": "export.failed",
                "detail": {},
                "created_at": LONG_AGO,
                "available_at": LONG_AGO,
                "delivered_at": LONG_AGO,
            },
            dead_letter: {
                "at": LONG_AGO,
                "queue": "orders",
                "reason": "unknown",
                "body": name,
                "message_hash": name,
            },
            row_usage: {"tenant_id": name, "day": LONG_AGO.date(), "user_id": "ann", "rows": 1},
            revocation: {"kind": "everybody", "at": LONG_AGO, "expires_at": LONG_AGO},
            throttled_queue: {"tenant_id": name, "queue": "orders", "at": LONG_AGO},
            token_bucket: {"key": name, "full_at": microseconds(LONG_AGO)},
        }
        with write_transaction(engine) as connection:
            for table, row in rows.items():
                connection.execute(sa.insert(table), row)
