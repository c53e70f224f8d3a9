"""Database sessions that outlive an export, so that the next one need not connect.

A new session of the Arrow driver reads PostgreSQL's whole catalog of types, and a connection is a
new process of the server: for a small export that is most of the work. A session is kept only
after a read that came to its end, and only once nothing of that read is left in it: the
transaction is rolled back, and ``DISCARD ALL`` resets settings, locks, plans and temporary tables.
It is kept for a short time, so changed rights, settings and addresses are noticed soon.
"""

from __future__ import annotations

import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import adbc_driver_manager as adbc
import psycopg
from adbc_driver_postgresql import dbapi
from psycopg import sql

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.postgres.literal_sql import render_with_literals

#: Seconds without an export after which a session is closed.
IDLE_SECONDS = 30.0
#: Seconds after which a session is replaced, however busy it is.
LIFE_SECONDS = 300.0
#: More exports at once than this are large, and one connection more does not matter to them.
_MOST = 8


@dataclass(slots=True, eq=False)
class Session:
    """One session of the Arrow driver."""

    connection: dbapi.Connection
    #: The limit on statements that its exports have, as the first of them found it.
    statement_timeout: str | None = None
    #: Whether an export has used it before.
    is_used: bool = False
    made_at: float = field(default_factory=time.monotonic)
    kept_at: float = 0.0

    def clean(self) -> bool:
        """Leave nothing of the last export; False if that is not certain."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
                cursor.execute("DISCARD ALL")
        except (adbc.Error, OSError):
            return False
        self.is_used = True
        return True

    def close(self) -> None:
        """End the connection."""
        with suppress(adbc.Error, OSError):
            self.connection.close()


class KeptSessions:
    """The idle sessions of one source. Any thread may use it.

    It also keeps one connection of psycopg, which only quotes values and sends nothing.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._timer: threading.Timer | None = None
        #: Held while `_quoting` is used or closed.
        self._quoting_lock = threading.Lock()
        self._quoting: psycopg.Connection[Any] | None = None

    def take(self) -> Session | None:
        """The session that was used last; None without any."""
        with self._lock:
            closed = self._take_expired()
            session = self._idle.pop() if self._idle else None
        _close(closed)
        return session

    def keep(self, session: Session) -> None:
        """Keep a clean session for the next export."""
        session.kept_at = time.monotonic()
        with self._lock:
            self._idle.append(session)
            closed = self._take_expired()
            if self._timer is None:
                self._start_timer()
        _close(closed)

    def render(self, query: Query) -> sql.SQL:
        """The statement of `query`, as `render_with_literals`.

        Raises:
            psycopg.Error: there is no connection for quoting, and none can be made.
        """
        with self._quoting_lock:
            if self._quoting is None:
                self._quoting = psycopg.connect(self._conninfo, autocommit=True)
            return render_with_literals(query, self._quoting)

    def _end_quoting(self) -> None:
        with self._quoting_lock:
            last, self._quoting = self._quoting, None
            if last is not None:
                last.close()

    def close(self) -> None:
        """Close everything that is kept. It may be used again."""
        with self._lock:
            closed, self._idle = self._idle, []
        _close(closed)
        self._end_quoting()

    def __del__(self) -> None:
        self.close()

    def _take_expired(self) -> list[Session]:
        now = time.monotonic()
        expired = [
            session
            for session in self._idle
            if now - session.kept_at > IDLE_SECONDS or now - session.made_at > LIFE_SECONDS
        ]
        rest = [session for session in self._idle if session not in expired]
        surplus = rest[: max(0, len(rest) - _MOST)]
        self._idle = rest[len(surplus) :]
        return expired + surplus

    def _start_timer(self) -> None:
        self._timer = threading.Timer(IDLE_SECONDS / 2, _expire, [weakref.ref(self)])
        self._timer.daemon = True
        self._timer.name = "waybill-source-sessions"
        self._timer.start()

    def expire(self) -> None:
        """Close what has been idle for too long; look again while there is anything."""
        with self._lock:
            closed = self._take_expired()
            self._timer = None
            if is_used := bool(self._idle):
                self._start_timer()
        _close(closed)
        if not is_used:
            self._end_quoting()


def _expire(kept: weakref.ref[KeptSessions]) -> None:
    if (sessions := kept()) is not None:
        sessions.expire()


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()
