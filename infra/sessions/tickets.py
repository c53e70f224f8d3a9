"""Tickets: each logs in once, in one process only, counted in the task database."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.engine import Engine

from waybill.infra.db.engine import write_transaction
from waybill.infra.db.token_buckets import Bucket, Rate, bucket_key, take_token
from waybill.infra.sessions.revocations import IssuedToken

#: A bucket of one token, which comes back long after the ticket has expired.
_ONCE = Rate(1, timedelta(hours=1))


class Tickets:
    """Remembers the tickets that were used, for as long as they could be used again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def use(self, ticket: IssuedToken) -> bool:
        """Whether `ticket` had not been used before. Of several callers at once, one gets True."""
        bucket = Bucket(bucket_key("ticket", ticket.fingerprint), _ONCE)
        with write_transaction(self._engine) as connection:
            return take_token(connection, bucket) is None
