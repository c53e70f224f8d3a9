"""Time for token buckets, without waiting for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import token_bucket
from waybill.infra.db.token_buckets import Bucket, microseconds


def use_up(engine: Engine, bucket: Bucket, *, keep: float = 0) -> None:
    """Take all tokens of a bucket; none comes back for `keep` of its period, less than 1."""
    full_at = microseconds(datetime.now(UTC)) + int((1 + keep) * bucket.rate.capacity)
    with write_transaction(engine) as connection:
        connection.execute(token_bucket.insert(), {"key": bucket.key, "full_at": full_at})


def pass_time(engine: Engine, time: timedelta) -> None:
    """Change all buckets as if `time` had passed; with a negative one, as if it were to come."""
    microseconds = time // timedelta(microseconds=1)
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(token_bucket).values(full_at=token_bucket.c.full_at - microseconds)
        )
