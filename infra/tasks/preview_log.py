"""Previews in the audit log, and how often one user may ask for them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.token_buckets import Bucket, Rate, bucket_key, take_token
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.lifecycle.quotas import NotNow

#: A person who tries filters asks every few seconds; a program that reads a table by previews asks
#: all the time.
PREVIEWS_PER_MINUTE = 30


class TooManyPreviews(NotNow):
    """You ask for previews too fast."""

    code = "too_many_previews"


class PreviewLog:
    """Admits previews and records them."""

    def __init__(self, engine: Engine, per_minute: int = PREVIEWS_PER_MINUTE) -> None:
        self._engine = engine
        self._rate = Rate(per_minute, timedelta(minutes=1))

    def admit(self, user: Principal, dataset: str, param: str | None = None) -> None:
        """Record that `user` reads first rows of `dataset`, or values of `param`, before it does.

        Raises:
            TooManyPreviews: nothing was recorded.
        """
        # Who types into a filter can still look at the rows.
        kind = "preview" if param is None else "choices"
        bucket = Bucket(bucket_key(kind, user.tenant, user.user), self._rate)
        with write_transaction(self._engine) as connection:
            wait = take_token(connection, bucket)
            if wait is None:
                audit(
                    connection,
                    database_now(connection),
                    "preview",
                    no_task(user.tenant),
                    actor=Actor.user(user),
                    detail={"dataset": dataset} | ({"choices": param} if param else {}),
                )
        if wait is not None:
            raise TooManyPreviews(retry_after=wait)
