"""The auditor: the invariants that hold after every fault (A1 to A16).

It sweeps first, as some worker would sooner or later, and then looks at everything: the
tables, the bucket, the log. It returns sentences, so that a failure says what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.eventually import wait_for
from tests.support.shard_auditor import plan_findings
from tests.support.stored_keys import stored_keys
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import (
    audit_log,
    dead_letter,
    export_shard,
    export_task,
    outbox,
    shard_plan,
    snapshot_holder,
    storage_object,
)
from waybill.infra.tasks.file_sets import SetFile, files_of_set, is_set
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.states import LIVE, TRANSITIONS, TaskStatus
from waybill.infra.tasks.tree_digest import is_tree_digest, tree_digest
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.store import ObjectStore

#: A store that does not return a file is asked again for so long: it may just have been started.
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a store answered instead of a file; without a status, it did not answer."""

    status: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {' '.join(self.text.split())[:300]}"

    @property
    def may_pass(self) -> bool:
        """Whether the store may return the file a little later."""
        return self.status is None or self.status >= 500


#: The bytes under a key, or why there are none.
Fetch = Callable[[str], bytes | Refusal]
#: Looks at a finished task and its bytes; says what is wrong with them, or nothing.
Judge = Callable[[sa.RowMapping, bytes], str | None]


class Auditor:
    """Checks one installation whose tasks should all have ended."""

    def __init__(
        self,
        engine: Engine,
        store: ObjectStore,
        fetch: Fetch,
        *,
        log: Callable[[], str],
        canaries: Sequence[str],
        judge: Judge = lambda row, data: None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine
        self._store = store
        self._fetch = fetch
        self._log = log
        self._canaries = [canary for canary in canaries if canary]
        self._judge = judge
        #: What the store returned only when it was asked again, a sentence for each file.
        self.late: list[str] = []
        self._patience_seconds = patience_seconds
        self._patient_until = 0.0
        self._tasks: list[sa.RowMapping] = []
        self._audit: dict[UUID, list[sa.RowMapping]] = {}
        self._shards: dict[UUID, list[sa.RowMapping]] = {}

    def check(self, accepted: Sequence[str] = ()) -> None:
        """Raise an `AssertionError` that names every violation."""
        if found := self.findings(accepted):
            raise AssertionError("\n".join(found))

    def findings(self, accepted: Sequence[str] = ()) -> list[str]:
        """What is wrong, one sentence each."""
        self._sweep()
        self._tasks = self._read(sa.select(export_task))
        self._shards = defaultdict(list)
        for shard in self._read(
            sa.select(export_shard).order_by(export_shard.c.task_id, export_shard.c.number)
        ):
            self._shards[shard["task_id"]].append(shard)
        self._audit = defaultdict(list)
        for entry in self._read(sa.select(audit_log).order_by(audit_log.c.id)):
            self._audit[entry["task_id"]].append(entry)
        return [
            *self._lost(accepted),
            *self._objects(),
            *self._plans(),
            *self._histories(),
            *self._twins(),
            *self._shared(),
            *self._leftovers(),
            *self._secrets(),
            *self._dead_letters(),
            *self._open_transactions(),
        ]

    def _sweep(self) -> None:
        maintenance = Maintenance(self._engine)
        sweeper = Sweeper(
            maintenance, self._store, lease=timedelta(minutes=1), retry_in=timedelta(0)
        )
        for _ in range(20):
            sweeper.sweep()
            if not maintenance.orphaned_objects():
                return

    def _read(self, query: sa.Select[Any]) -> list[sa.RowMapping]:
        with read_transaction(self._engine) as connection:
            return list(connection.execute(query).mappings())

    def _lost(self, accepted: Sequence[str]) -> Iterator[str]:
        """A1: every task that was answered with 202 is there and has ended."""
        known = {str(task["id"]) for task in self._tasks}
        yield from (f"A1 {task_id} was accepted and is gone" for task_id in {*accepted} - known)
        for task in self._tasks:
            if task["status"] in LIVE:
                yield f"A1 {task['id']} is still {task['status']}"

    def _objects(self) -> Iterator[str]:
        """A2: a file that is announced is there, and is what its row says."""
        done = [task for task in self._tasks if task["status"] == TaskStatus.SUCCESS]
        refused: list[tuple[sa.RowMapping, Refusal]] = []
        for task, data in self._fetched(done):
            if isinstance(data, Refusal):
                refused.append((task, data))
            else:
                yield from self._wrong(task, data)
        for task, first in refused:
            last = self._fetched_in_time(task) if first.may_pass else first
            if isinstance(last, Refusal):
                yield f"A2 the object of {task['id']} is not there: {last}"
            else:
                self.late.append(f"{task['id']}: {first}")
                yield from self._wrong(task, last)

    def _fetched(
        self, tasks: Sequence[sa.RowMapping]
    ) -> Iterator[tuple[sa.RowMapping, bytes | Refusal]]:
        with ThreadPoolExecutor(4) as threads:
            answers = threads.map(lambda task: self._fetch(task["object_key"]), tasks)
            yield from zip(tasks, answers, strict=True)

    def _fetched_in_time(self, task: sa.RowMapping) -> bytes | Refusal:
        """What the store answers in the time that all refused files have together."""
        self._patient_until = self._patient_until or time.monotonic() + self._patience_seconds
        answers: list[bytes | Refusal] = []

        def answered() -> bool:
            answers.append(self._fetch(task["object_key"]))
            return not isinstance(answers[-1], Refusal)

        with suppress(AssertionError):
            wait_for(answered, max(0, self._patient_until - time.monotonic()))
        return answers[-1]

    def _files_of(self, key: str) -> list[SetFile]:
        with read_transaction(self._engine) as connection:
            return files_of_set(connection, key) if is_set(key) else []

    def _wrong_set(self, task: sa.RowMapping, manifest: bytes) -> Iterator[str]:
        """A16: the files of a set are those of its record and of its manifest, byte by byte."""
        recorded = self._files_of(task["object_key"])
        named = [
            (f["name"], f["rows"], f["bytes"], f["sha256"]) for f in json.loads(manifest)["files"]
        ]
        if named != [(file.name, file.rows, file.size_bytes, file.sha256) for file in recorded]:
            yield f"A16 the manifest of {task['id']} names other files than its record"
        contents = [self._fetch(file.key) for file in recorded]
        for file, data in zip(recorded, contents, strict=True):
            if isinstance(data, Refusal):
                yield f"A16 {file.name} of {task['id']} is not there: {data}"
            elif hashlib.sha256(data).hexdigest() != file.sha256:
                yield f"A16 {file.name} of {task['id']} has another SHA-256"
        own = hashlib.sha256(manifest).hexdigest()
        if tree_digest([*(file.sha256 or "" for file in recorded), own]) != task["sha256"]:
            yield f"A16 the files of {task['id']} have another digest"
        total = len(manifest) + sum(file.size_bytes or 0 for file in recorded)
        if (len(recorded), total) != (task["files"], task["size_bytes"]):
            yield f"A16 {task['id']} counts other files or bytes"

    def _wrong(self, task: sa.RowMapping, data: bytes) -> Iterator[str]:
        if is_set(task["object_key"]):
            yield from self._wrong_set(task, data)
        elif len(data) != task["size_bytes"]:
            yield f"A2 the object of {task['id']} has {len(data)} bytes"
        elif self._digest(task, data) != task["sha256"]:
            yield f"A2 the object of {task['id']} has another SHA-256"
        elif wrong := self._judge(task, data):
            yield f"A2 {task['id']}: {wrong}"

    def _digest(self, task: sa.RowMapping, data: bytes) -> str:
        """Of the bytes as a whole, or by the pieces that its shards were written in."""
        if not is_tree_digest(task["sha256"]):
            return hashlib.sha256(data).hexdigest()
        leaves = [leaf for shard in self._shards[task["id"]] for leaf in shard["outcome"]["leaves"]]
        ends = [*accumulate(size for size, _ in leaves), len(data)]
        pieces = (data[start:end] for start, end in pairwise([0, *ends]))
        return tree_digest(hashlib.sha256(piece).hexdigest() for piece in pieces)

    def _plans(self) -> Iterator[str]:
        """A13 to A15."""
        plans = {plan["task_id"]: plan for plan in self._read(sa.select(shard_plan))}
        holders = self._read(sa.select(snapshot_holder))
        yield from plan_findings(self._tasks, plans, self._shards, holders)

    def _histories(self) -> Iterator[str]:
        """A3, A4, A6: edges of the graph only, rising fences, attempts within their bound."""
        for task in self._tasks:
            status, fence, claims = None, -1, 0
            for entry in self._audit[task["id"]]:
                edge = (entry["from_status"], entry["to_status"])
                if entry["to_status"] is not None:
                    if edge[0] != status or (status and edge not in TRANSITIONS):
                        yield f"A3 {task['id']} went from {status} by {edge}"
                    status = entry["to_status"]
                rises = entry["action"] in (
                    *("claim", "attempt_failed", "release"),
                    *("postpone", "give_up"),
                )
                if entry["fence"] < fence or (rises and entry["fence"] == fence):
                    yield f"A4 {entry['action']} of {task['id']} has fence {entry['fence']}"
                fence = entry["fence"]
                claims += {"claim": 1, "release": -1, "postpone": -1}.get(entry["action"], 0)
            if (status, fence, claims) != (task["status"], task["fence"], task["attempt"]):
                yield f"A3 {task['id']} is not what its history says"
            if task["attempt"] > task["max_attempts"]:
                yield f"A6 {task['id']} had {task['attempt']} attempts"

    def _twins(self) -> Iterator[str]:
        """A5: one live task at most for each request."""
        keys = Counter(
            (task["tenant_id"], task["created_by"], task["task_type"], task["dedupe_key"])
            for task in self._tasks
            if task["status"] in LIVE
        )
        yield from (f"A5 {count} live tasks of {key}" for key, count in keys.items() if count > 1)

    def _shared(self) -> Iterator[str]:
        """A12: tasks of one file agree about it; who joined another's run never ran itself."""
        files: dict[str, set[tuple[object, ...]]] = defaultdict(set)
        for task in self._tasks:
            joined = task["joined_id"] is not None
            if joined and task["attempt"]:
                yield f"A12 {task['id']} joined a run and was claimed as well"
            edges = {(e["from_status"], e["to_status"]) for e in self._audit[task["id"]]}
            if not joined and (TaskStatus.PENDING, TaskStatus.SUCCESS) in edges:
                yield f"A12 {task['id']} got a file without a run"
            if task["status"] == TaskStatus.SUCCESS:
                names = ("tenant_id", "flight_key", "sha256", "size_bytes", "rows_written")
                files[task["object_key"]].add(tuple(task[name] for name in names))
        yield from (f"A12 {key} is not one file" for key, told in files.items() if len(told) > 1)

    def _leftovers(self) -> Iterator[str]:
        """A7: the bucket holds the files of finished tasks, and nothing else."""
        for upload in self._store.list_uploads():
            if "/probe/" in upload.key:
                # The sweeper aborts these after an hour (F114).
                continue
            yield f"A7 the upload of {upload.key} is open"
        wanted = {t["object_key"] for t in self._tasks if t["status"] == TaskStatus.SUCCESS}
        wanted |= {file.key for key in wanted for file in self._files_of(key)}
        for key in set(stored_keys(self._store)) - wanted:
            yield f"A7 no task refers to {key}"
        recorded = Counter(
            (entry["key"], entry["state"]) for entry in self._read(sa.select(storage_object))
        )
        if recorded != Counter((key, "STORED") for key in wanted):
            yield "A7 the record of objects is not what the tasks say"

    def _secrets(self) -> Iterator[str]:
        """A8: what people see of errors, and what logs keep, holds no secret and no link."""
        texts = {"the log": self._log()}
        for table, columns in (
            (export_task, ("error_code", "error_message", "warnings")),
            (audit_log, ("actor", "action", "detail")),
            (dead_letter, ("reason", "body")),
            (outbox, ("reason",)),
        ):
            rows = self._read(sa.select(*(table.c[name] for name in columns)))
            texts[table.name] = json.dumps([list(row.values()) for row in rows])
        for place, text in texts.items():
            yield from (f"A8 {place} holds {c[:8]}…" for c in self._canaries if c in text)

    def _dead_letters(self) -> Iterator[str]:
        """A10: each dead letter belongs to a task that failed, or to a message nobody can read."""
        failed = {task["id"] for task in self._tasks if task["status"] == TaskStatus.FAILED}
        for letter in self._read(sa.select(dead_letter)):
            if letter["task_id"] is None and letter["reason"].startswith("bad_message"):
                continue
            if letter["task_id"] not in failed:
                yield f"A10 a dead letter of {letter['task_id']}: {letter['reason']}"

    def _open_transactions(self) -> Iterator[str]:
        """A11: nobody sits in an open transaction."""
        if self._engine.dialect.name != "postgresql":
            return
        query = sa.text(
            "SELECT pid, xact_start FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )

        def idle() -> set[sa.Row[Any]]:
            with read_transaction(self._engine) as connection:
                return set(connection.execute(query))

        # In an installation at work there is always one between two statements, never for long.
        found = idle()
        try:
            wait_for(lambda: not found & idle(), 5)
        except AssertionError:
            yield "A11 a session is idle in a transaction"
