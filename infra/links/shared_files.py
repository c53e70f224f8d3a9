"""Files that were shared with somebody: those whose links were mailed to their address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import UtcDateTime, export_task, in_status, share_link
from waybill.infra.links.share_links import followable
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus

_link = share_link.c
_task = export_task.c


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file whose link was mailed to somebody."""

    link_id: UUID
    shared_by: str
    shared_at: datetime
    #: When the link ends, or else the file.
    expires_at: datetime | None
    task: Task


class SharedFiles:
    """The files that were shared, for the API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, reader: Principal, address: str, limit: int) -> list[SharedFile]:
        """Files of the tenant of `reader` whose links were mailed to `address`, newest first.

        Only those that are there and can be followed. Whether the reader may export the dataset is
        for the caller to check.
        """
        now = sa.literal(datetime.now(UTC), UtcDateTime())
        query = (
            sa.select(
                _link.id.label("link_id"),
                _link.created_by.label("shared_by"),
                _link.created_at.label("shared_at"),
                sa.func.coalesce(_link.expires_at, _task.expires_at).label("link_expires_at"),
                export_task,
            )
            .select_from(share_link.join(export_task, _task.id == _link.task_id))
            .where(
                _link.tenant_id == reader.tenant,
                _link.recipient == address.lower(),
                in_status(TaskStatus.SUCCESS),
                sa.or_(_task.expires_at.is_(None), _task.expires_at > now),
                *followable(now),
            )
            .order_by(_link.created_at.desc(), _link.id)
            .limit(limit)
        )
        with read_transaction(self._engine) as connection:
            return [
                SharedFile(
                    row["link_id"],
                    row["shared_by"],
                    row["shared_at"],
                    row["link_expires_at"],
                    Task.from_row(row),
                )
                for row in connection.execute(query).mappings()
            ]
