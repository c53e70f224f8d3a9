"""The denylist: the revocations in force, kept in memory, so that no request waits for them."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import WaybillError
from waybill.infra.sessions.revocations import (
    IssuedToken,
    Revocation,
    RevocationKind,
    Revocations,
    Subject,
)
from waybill.infra.tasks.audit import Actor, ActorKind

log = logging.getLogger(__name__)

#: Rows become visible when their transaction ends, which is later than their time says. A silent
#: one is ended after half a minute: `waybill.infra.db.engine`.
_OVERLAP = timedelta(minutes=2)
_START_SECONDS = 5.0


class RevocationsUnread(WaybillError):
    """The list of revoked tokens has not been read yet, so tokens cannot be verified."""

    code = "revocations_unread"


class Denylist:
    """Says whether a token is revoked, from a list that a thread reads again in each `period`.

    While the database is away the last list stays in use, however old it is. Before the first one
    has been read, no token is good. Safe to use from any thread.
    """

    def __init__(self, revocations: Revocations, *, period: timedelta) -> None:
        self._revocations = revocations
        self._period = period.total_seconds()
        self._lock = threading.Lock()
        #: Replaced as a whole, so that readers need no lock.
        self._found: dict[Subject, Revocation] = {}
        self._read_at: datetime | None = None
        #: Sessions that ended while the database was away.
        self._unsaved: list[IssuedToken] = []
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        #: Set when the first read has ended, well or not.
        self._begun = threading.Event()

    def start(self, seconds: float = _START_SECONDS) -> None:
        """Begin to read, and wait for the first list, but no longer than `seconds`."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="revocations", daemon=True)
                self._thread.start()
        self._begun.wait(seconds)
        self._begun.set()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(_START_SECONDS)

    def denies(self, token: IssuedToken) -> bool:
        """Whether `token` is revoked. Waits for nothing once `start` has returned.

        Raises:
            RevocationsUnread: no list has been read yet.
        """
        if not self._begun.is_set():
            self.start()
        if self._read_at is None:
            raise RevocationsUnread
        found = self._found
        return any(
            subject in found and found[subject].covers(token) for subject in token.subjects()
        )

    def end_session(self, token: IssuedToken) -> None:
        """Revoke the token of somebody who logs out: here at once, elsewhere at the next read.

        While the database is away it is refused by this process alone, and stored when the
        database is back.
        """
        self._add([_ended(token)])
        try:
            self._revocations.end_session(token)
        except SQLAlchemyError as error:
            log.warning("end of a session not stored yet", extra={"why": type(error).__name__})
            with self._lock:
                self._unsaved.append(token)

    def end_all_sessions(self, token: IssuedToken) -> None:
        """Revoke every token of a user that was issued until now, `token` of theirs included.

        Here at once, elsewhere at the next read.

        Raises:
            SQLAlchemyError: the database is away, and nothing was revoked.
        """
        actor = Actor(token.user, ActorKind.USER, token.tenant)
        subject = Subject(RevocationKind.USER, token.tenant, token.user)
        self._add([self._revocations.revoke(subject, actor)])
        # By name, since its `iat` is of another clock than the database's.
        self.end_session(token)

    def refresh(self) -> None:
        """Store what could not be stored, and read what was added since the last time.

        Raises:
            SQLAlchemyError: the database is away.
        """
        while self._unsaved:
            self._revocations.end_session(self._unsaved[0])
            with self._lock:
                del self._unsaved[0]
        now, added = self._revocations.read(self._read_at and self._read_at - _OVERLAP)
        self._add(added, now)
        self._read_at = now

    def _add(self, added: list[Revocation], now: datetime | None = None) -> None:
        with self._lock:
            found = {
                subject: known
                for subject, known in self._found.items()
                if now is None or known.expires_at > now
            }
            for revocation in added:
                key = _key(revocation.subject)
                known = found.get(key)
                if known is None or known.at < revocation.at:
                    found[key] = revocation
            self._found = found

    def _run(self) -> None:
        failing = False
        while not self._closed.is_set():
            try:
                self.refresh()
                failing = False
            # The list that is there stays in use, and the next read may succeed.
            except Exception as error:
                if not failing:
                    log.warning("revocations cannot be read", extra={"why": type(error).__name__})
                failing = True
            self._begun.set()
            self._closed.wait(self._period)


def _key(subject: Subject) -> Subject:
    """How a token asks for it: a fingerprint alone, without its owner."""
    return replace(subject, tenant="", user="") if subject.names_one_token else subject


def _ended(token: IssuedToken) -> Revocation:
    subject = Subject(RevocationKind.TOKEN, token=token.fingerprint)
    return Revocation(subject, datetime.now(UTC), token.expires_at)
