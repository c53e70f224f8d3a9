"""The life of a task: its states, and the only ways from one to another.

::

    PENDING ──claim──► PROCESSING ──finish──► SUCCESS ──retention──► EXPIRED
       ▲  │               │  │  │
       │  └──cancel──┐    │  │  └──permanent error, attempts used up──► FAILED
       │             ▼    │  └──cancel──► CANCELLED
       │         CANCELLED│
       └──error or expired lease, with next_attempt_at ─┘

A task that joined the run of an equal request goes from PENDING to SUCCESS when that run
has its file, without being claimed; one for which a fresh file is there begins as SUCCESS.
Terminal states are final. A person's retry makes a new task with ``parent_id``, so the
audit trail and the dedupe index stay simple.
"""

from __future__ import annotations

from waybill.infra.db.tables import LIVE, TaskStatus

__all__ = ["LIVE", "TRANSITIONS", "TaskStatus"]

#: Every legal change of status. A task is inserted as PENDING, or as SUCCESS with a shared file.
TRANSITIONS: frozenset[tuple[TaskStatus, TaskStatus]] = frozenset(
    {
        (TaskStatus.PENDING, TaskStatus.PROCESSING),
        (TaskStatus.PENDING, TaskStatus.CANCELLED),
        # Another task's run has made its file.
        (TaskStatus.PENDING, TaskStatus.SUCCESS),
        (TaskStatus.PROCESSING, TaskStatus.SUCCESS),
        (TaskStatus.PROCESSING, TaskStatus.FAILED),
        (TaskStatus.PROCESSING, TaskStatus.PENDING),
        (TaskStatus.PROCESSING, TaskStatus.CANCELLED),
        (TaskStatus.SUCCESS, TaskStatus.EXPIRED),
    }
)
