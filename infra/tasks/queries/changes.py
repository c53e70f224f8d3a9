"""Polling for changes of tasks, made by any process.

No change is missed: a transaction takes `updated_at` and the audit log's `at` when it writes
and commits a little later, so each poll reads from `OVERLAP` before the previous one; `seen`
removes what that returns twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, read_transaction
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import newest, owned_by
from waybill.infra.tasks.states import LIVE

_task = export_task.c
_entry = audit_log.c

#: Longer than any transaction that writes a task: each is a handful of statements, and the
#: longest waits for a row lock that another one of them holds.
OVERLAP = timedelta(seconds=10)
#: Replay missed events up to this gap; after that send full state.
_LONGEST_ABSENCE = timedelta(minutes=10)
MOST_MISSED = 1_000
#: The full state of a user: the live tasks, and the newest, as many as the longest page holds.
_MOST_LIVE = 500
NEWEST = 100
#: Rows fetched by one statement; SQLite takes 32,766 parameters.
_ROWS_AT_ONCE = 500

#: Tenant and user: whose task it is.
Owner = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A task as it is now, or None when it was deleted."""

    task_id: UUID
    owner: Owner
    task: Task | None


@dataclass(frozen=True, slots=True)
class StateQuery:
    """A request for the state to start a watch with: one task, or all of `user`'s.

    With `since`, the position of an earlier poll, the changes after it are enough.
    """

    user: Principal
    task_id: UUID | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The state to start a watch with; not `whole`: the changes since the requested position."""

    changes: list[Change]
    whole: bool


@dataclass(frozen=True, slots=True)
class Poll:
    """The result of one poll, and where the next one starts."""

    #: Everything that was committed before this is known.
    position: datetime
    changes: list[Change] = field(default_factory=list)
    #: One for each `StateQuery`, read after `changes`, so never older than they are.
    states: list[State] = field(default_factory=list)
    #: Versions of the tasks in the window, None for those deleted.
    seen: Mapping[UUID, int | None] = field(default_factory=dict)


class TaskChanges:
    """Polls for changes. Each poll is one short read transaction.

    The full state of a user has the `newest` tasks, and at most `most_missed` changes are replayed.
    """

    def __init__(
        self, engine: Engine, *, newest: int = NEWEST, most_missed: int = MOST_MISSED
    ) -> None:
        self._engine = engine
        self._newest = newest
        self._most_missed = most_missed

    def poll(
        self, previous: Poll | None, watched: Collection[Owner], queries: Sequence[StateQuery] = ()
    ) -> Poll:
        """The changes of the `watched` owners' tasks since `previous`, or since `OVERLAP` ago.

        Cost: an index range over all changes, and one row for each change returned.
        """
        with read_transaction(self._engine) as connection:
            now = database_now(connection)
            # A clock that was set back must not hide changes.
            position = now - OVERLAP
            since = min(previous.position, position) if previous else position
            versions = _versions_since(connection, since)
            deleted = _deleted_since(connection, since)
            known = previous.seen if previous else {}
            fresh = [
                task_id
                for task_id, (owner, version) in versions.items()
                if owner in watched and known.get(task_id, -1) != version
            ]
            changes = [_changed(task) for task in _load(connection, fresh)]
            changes += (
                Change(task_id, owner, None)
                for task_id, owner in deleted.items()
                if owner in watched and (task_id not in known or known[task_id] is not None)
            )
            return Poll(
                position=position,
                changes=changes,
                states=[self._state(connection, now, query) for query in queries],
                seen={
                    **{task_id: version for task_id, (_, version) in versions.items()},
                    **dict.fromkeys(deleted),
                },
            )

    def _state(self, connection: Connection, now: datetime, query: StateQuery) -> State:
        user, task_id = query.user, query.task_id
        if task_id is not None:
            [*found] = newest(connection, [owned_by(user), _task.id == task_id], limit=1)
            gone = Change(task_id, (user.tenant, user.user), None)
            return State([_changed(task) for task in found] or [gone], whole=True)
        if query.since and now - _LONGEST_ABSENCE < query.since <= now:
            missed = self._missed(connection, user, query.since)
            if missed is not None:
                return State(missed, whole=False)
        tasks = {
            task.id: task
            for task in (
                *newest(connection, [owned_by(user), _task.status.in_(LIVE)], limit=_MOST_LIVE),
                *newest(connection, [owned_by(user)], limit=self._newest),
            )
        }
        oldest_first = sorted(tasks.values(), key=lambda task: (task.created_at, task.id))
        return State([_changed(task) for task in oldest_first], whole=True)

    def _missed(
        self, connection: Connection, user: Principal, since: datetime
    ) -> list[Change] | None:
        """The changes of `user`'s tasks since then, or None when there are too many."""
        conditions = [owned_by(user), _task.updated_at >= since]
        tasks = newest(connection, conditions, limit=self._most_missed + 1)
        if len(tasks) > self._most_missed:
            return None
        deleted = _deleted_since(
            connection, since, _entry.tenant_id == user.tenant, _entry.actor == user.user
        )
        changes = [_changed(task) for task in reversed(tasks)]
        return changes + [Change(task_id, owner, None) for task_id, owner in deleted.items()]


def _versions_since(connection: Connection, since: datetime) -> dict[UUID, tuple[Owner, int]]:
    rows = connection.execute(
        sa.select(_task.id, _task.tenant_id, _task.created_by, _task.version).where(
            _task.updated_at >= since
        )
    )
    return {row.id: ((row.tenant_id, row.created_by), row.version) for row in rows}


def _deleted_since(
    connection: Connection, since: datetime, *conditions: sa.ColumnElement[bool]
) -> dict[UUID, Owner]:
    """Tasks that their owners deleted since then, as the audit log records them.

    Nobody else deletes one, but for the sweeper, months after its end. Ids rise with time but for
    the overlap, so this reads the end of the primary key, not the table.
    """
    before = (
        sa.select(_entry.id).where(_entry.at < since - OVERLAP).order_by(_entry.id.desc()).limit(1)
    ).scalar_subquery()
    rows = connection.execute(
        sa.select(_entry.task_id, _entry.tenant_id, _entry.actor).where(
            _entry.id > sa.func.coalesce(before, 0),
            _entry.action == "delete",
            _entry.at >= since,
            *conditions,
        )
    )
    return {row.task_id: (row.tenant_id, row.actor) for row in rows if row.task_id}


def _load(connection: Connection, ids: Sequence[UUID]) -> Iterable[Task]:
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        rows = connection.execute(
            sa.select(export_task).where(_task.id.in_(ids[start : start + _ROWS_AT_ONCE]))
        ).mappings()
        yield from (Task.from_row(row) for row in rows)


def _changed(task: Task) -> Change:
    return Change(task.id, (task.tenant_id, task.created_by), task)
