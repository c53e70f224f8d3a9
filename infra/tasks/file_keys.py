"""Sealed keys of tasks with a password: stored with the task, taken by its attempts, then erased.

They are in a table of their own, which no list, export or event of tasks reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import file_key
from waybill.infra.tasks.model import TaskRow

_key = file_key.c

#: The name in `export_task.options` of what says that the file has a password.
PASSWORD_OPTION = "password"  # noqa: S105 - the name of an option


def has_password(options: Mapping[str, Any] | None) -> bool:
    """Whether a task with these options has a file with a password."""
    return bool((options or {}).get(PASSWORD_OPTION))


def store_keys(connection: Connection, task_id: UUID, sealed: bytes) -> None:
    """Keep the sealed keys of a task that was just inserted."""
    connection.execute(sa.insert(file_key).values(task_id=task_id, sealed=sealed))


def erase_keys(connection: Connection, ended: TaskRow) -> None:
    """Erase the keys of a task that has ended."""
    if has_password(ended["options"]):
        connection.execute(sa.delete(file_key).where(_key.task_id == ended["id"]))


def take_keys(
    connection: Connection, task_id: UUID, held: Sequence[sa.ColumnElement[bool]]
) -> tuple[bytes, int] | None:
    """The sealed keys of a task and the number of the set to use, which nobody gets again.

    None when the claim that `held` describes is lost, or the keys are erased.
    """
    statement = (
        sa.update(file_key)
        .where(_key.task_id == task_id, sa.exists().where(*held))
        .values(sets_used=_key.sets_used + 1)
        .returning(_key.sealed, _key.sets_used)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else (row.sealed, row.sets_used - 1)
