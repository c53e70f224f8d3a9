"""What is paused: queues and datasets that workers take no exports from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from waybill.infra.db.tables import pause

_pause = pause.c


class PauseKind(StrEnum):
    """What can be paused."""

    QUEUE = "queue"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Pause:
    """What is paused, since when, and why. Field names are the column names."""

    kind: PauseKind
    name: str
    at: datetime
    by: str
    note: str


def not_paused(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that neither queue nor dataset of a task of `table` is paused.

    By lists that do not depend on the task: a database reads each once, however many tasks wait.
    """
    return sa.and_(
        table.c.queue.not_in(_names(PauseKind.QUEUE)),
        table.c.task_type.not_in(_names(PauseKind.DATASET)),
    )


def _names(kind: PauseKind) -> sa.Select[tuple[str]]:
    # A constant: what is bound could be planned for either kind.
    return sa.select(_pause.name).where(_pause.kind == sa.literal_column(f"'{kind}'"))
