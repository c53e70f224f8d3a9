"""The states of a task, and the legal changes from one to another.

`waybill.infra.tasks.lifecycle.transitions` draws them and is the only code that makes them.
Terminal states are final: a person's retry makes a new task with ``parent_id``, so the audit
trail and the index against duplicates stay simple.
"""

from __future__ import annotations

from waybill.infra.db.tables import LIVE, TaskStatus

__all__ = ["LIVE", "TRANSITIONS", "TaskStatus"]

#: Every legal change of status. An inserted task is PENDING, or SUCCESS with a shared file.
TRANSITIONS: frozenset[tuple[TaskStatus, TaskStatus]] = frozenset(
    {
        (TaskStatus.PENDING, TaskStatus.PROCESSING),
        (TaskStatus.PENDING, TaskStatus.CANCELLED),
        # What it waited for did not come back in time.
        (TaskStatus.PENDING, TaskStatus.FAILED),
        # A follower gets the file of its leader.
        (TaskStatus.PENDING, TaskStatus.SUCCESS),
        (TaskStatus.PROCESSING, TaskStatus.SUCCESS),
        (TaskStatus.PROCESSING, TaskStatus.FAILED),
        (TaskStatus.PROCESSING, TaskStatus.PENDING),
        (TaskStatus.PROCESSING, TaskStatus.CANCELLED),
        (TaskStatus.SUCCESS, TaskStatus.EXPIRED),
    }
)
