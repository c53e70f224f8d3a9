"""Connections of a pool are tested before use if they were idle, and only then.

`pool_pre_ping` asks the server each time, which is one round trip of the few that a request has. A
connection that worked a moment ago is used as it is: if it has died since, its statement fails as
it would in any other moment, and the pool forgets its connections.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Any

from sqlalchemy import event, exc
from sqlalchemy.engine import Engine

#: Less than a restart of the database takes, and more than lies between two requests of many.
IDLE = timedelta(seconds=0.1)
_USED_AT = "waybill_used_at"


def check_when_idle(engine: Engine, after: timedelta = IDLE) -> None:
    """Have the connections of `engine` tested that nobody used for `after`.

    One that is dead is replaced, and so are all others of the pool when their turn comes.
    """
    seconds = after.total_seconds()

    def note(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = monotonic()

    def check(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or monotonic() - used_at < seconds:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.InvalidatePoolError from error

    # A new connection needs no test; `info` is emptied when one is replaced.
    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", check)
