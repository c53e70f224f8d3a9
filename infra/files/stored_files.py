"""Files of finished tasks as the store has them: noticed when one is gone behind our back.

Before a link is given or a file reused, the store is asked for the object. A store that does not
answer says nothing about a file: the link is given then, and nothing is recorded.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from sqlalchemy.engine import Engine

from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.tasks.audit import SYSTEM, Actor
from waybill.infra.tasks.file_sets import FileSets, is_set
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus
from waybill.storage.errors import StorageError
from waybill.storage.store import ObjectStore

log = logging.getLogger(__name__)

#: Many people follow one link at a time, and each click would cost a request to the store.
_TRUSTED_FOR = timedelta(seconds=2)
#: No request waits for a store that did not answer the one before.
_PAUSE = timedelta(seconds=5)
#: Keys remembered; about 150 bytes each.
_MOST_KEYS = 10_000


class StoredFiles:
    """Asks the store for files of tasks. One for each process; safe to use from any thread."""

    def __init__(
        self,
        engine: Engine,
        store: ObjectStore,
        *,
        trusted_for: timedelta = _TRUSTED_FOR,
        pause: timedelta = _PAUSE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A file that was there is taken to be there for `trusted_for`, where that is enough.

        After a request that the store did not answer there is none for `pause`.
        """
        self._engine = engine
        self._store = store
        self._sets = FileSets(engine)
        self._trusted_seconds = trusted_for.total_seconds()
        self._pause_seconds = pause.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        #: When each file was last seen, the latest one last.
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._ask_again_at = clock()

    def is_missing(self, task: Task, *, seen_lately_is_enough: bool = False) -> bool:
        """Whether the store has the file of a finished task no longer, or one of another size.

        Then it is recorded: each task that shares the file is EXPIRED with the code
        `file_missing`. Of a set of files the manifest is looked for. False as well when the store
        does not answer within about three seconds.
        """
        key, size_bytes = task.object_key, task.size_bytes
        if task.status != TaskStatus.SUCCESS or key is None or size_bytes is None:
            return False
        if not self._asks(key, seen_lately_is_enough):
            return False
        if is_set(key):
            size_bytes = self._sets.manifest_bytes(key) or 0
        if not self._gone(key, size_bytes):
            return False
        self.record_missing(key)
        return True

    def record_missing(self, key: str, actor: Actor = SYSTEM) -> int:
        """Expire the tasks that share a file which is gone; returns how many there were."""
        with write_transaction(self._engine) as connection:
            count = transitions.lose(connection, database_now(connection), key, actor)
        if count and actor == SYSTEM:
            log.error("file missing", extra={"alert": True, "key": key, "tasks": count})
        return count

    def _asks(self, key: str, seen_lately_is_enough: bool) -> bool:
        now = self._clock()
        with self._lock:
            if now < self._ask_again_at:
                return False
            seen_at = self._seen.get(key) if seen_lately_is_enough else None
            return seen_at is None or now >= seen_at + self._trusted_seconds

    def _gone(self, key: str, size_bytes: int) -> bool:
        try:
            found = self._store.find(key)
        except StorageError as error:
            log.warning("file not looked for", extra={"error": type(error).__name__})
            with self._lock:
                self._ask_again_at = self._clock() + self._pause_seconds
            return False
        if found is None or found.size_bytes != size_bytes:
            return True
        with self._lock:
            self._seen[key] = self._clock()
            self._seen.move_to_end(key)
            if len(self._seen) > _MOST_KEYS:
                self._seen.popitem(last=False)
        return False
