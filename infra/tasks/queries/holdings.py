"""What is kept: files by tenant and the next to expire, tables and the next cut of each.

For operators who ask: the files are summed over all tasks that have one, which takes seconds where
there are millions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.engine import database_now
from waybill.infra.db.schema import schema_of
from waybill.infra.db.tables import (
    ENDED_WITHOUT_FILE,
    audit_log,
    dead_letter,
    export_task,
    in_status,
    metadata,
    notification,
    storage_object,
)
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_DAY = timedelta(days=1)
#: Tenants listed, those with the most bytes first.
_MOST_TENANTS = 50


@dataclass(frozen=True, slots=True)
class TenantFiles:
    """Files of one tenant that have not expired. One that several tasks share counts once."""

    tenant: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TableFigures:
    """A table that retention prunes. `next_cut` is when its oldest row is due; None: not by age."""

    table: str
    #: With its indexes; None where the database does not say.
    size_bytes: int | None
    oldest: datetime | None
    next_cut: datetime | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """Over all tenants, at one moment."""

    tenants: Sequence[TenantFiles]
    next_expiry: datetime | None
    expiring_in_a_day: int
    #: Files on record that no finished task refers to.
    open_uploads: int
    tables: Sequence[TableFigures]


def read_holdings(connection: Connection, keep: Mapping[str, timedelta]) -> Holdings:
    """The figures; `keep` says for how long rows of a table are kept, by its name."""
    now = database_now(connection)
    stored = in_status(TaskStatus.SUCCESS)
    expiry, soon = connection.execute(
        sa.select(
            sa.func.min(_task.expires_at),
            sa.func.count(sa.case((_task.expires_at < now + _DAY, 1))),
        ).where(stored)
    ).one()
    uploads = connection.execute(
        sa.select(sa.func.count()).where(storage_object.c.state == sa.literal_column("'OPEN'"))
    ).scalar_one()
    return Holdings(_tenants(connection), expiry, soon, uploads, list(_tables(connection, keep)))


def table_sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each table with its indexes, by name; empty where the database does not say."""
    if connection.dialect.name != "postgresql":
        return {}
    catalog = "pg_catalog"
    relation = sa.table(
        "pg_class", *map(sa.column, ("oid", "relname", "relnamespace")), schema=catalog
    )
    namespace = sa.table("pg_namespace", *map(sa.column, ("oid", "nspname")), schema=catalog)
    ours = [table.name for table in metadata.tables.values()]
    rows = connection.execute(
        sa.select(relation.c.relname, sa.func.pg_total_relation_size(relation.c.oid))
        .join(namespace, namespace.c.oid == relation.c.relnamespace)
        .where(
            namespace.c.nspname == (schema_of(connection) or sa.func.current_schema()),
            relation.c.relname.in_(ours),
        )
    )
    return {row[0]: int(row[1]) for row in rows}


def next_cuts(connection: Connection, keep: Mapping[str, timedelta]) -> dict[str, datetime]:
    """When the oldest row of each table is due, by name; without tables that have none."""
    cuts = ((name, _cut(oldest, keep.get(name))) for name, oldest in _oldest_rows(connection))
    return {name: cut for name, cut in cuts if cut}


def _tenants(connection: Connection) -> list[TenantFiles]:
    files = (
        sa.select(
            _task.tenant_id.label("tenant_id"),
            sa.func.max(_task.size_bytes).label("size_bytes"),
        )
        .where(in_status(TaskStatus.SUCCESS))
        .group_by(_task.tenant_id, _task.object_key)
        .subquery()
    )
    total = sa.func.sum(files.c.size_bytes)
    rows = connection.execute(
        sa.select(files.c.tenant_id, sa.func.count(), total)
        .group_by(files.c.tenant_id)
        .order_by(total.desc(), files.c.tenant_id)
        .limit(_MOST_TENANTS)
    )
    return [TenantFiles(tenant, count, int(size)) for tenant, count, size in rows]


def _tables(connection: Connection, keep: Mapping[str, timedelta]) -> list[TableFigures]:
    sizes = table_sizes(connection)
    return [
        TableFigures(name, sizes.get(name), oldest, _cut(oldest, keep.get(name)))
        for name, oldest in _oldest_rows(connection)
    ]


def _oldest_rows(connection: Connection) -> Iterator[tuple[str, datetime | None]]:
    """The age of each table's oldest row that may be deleted; each comes first in an index."""
    for table, age, condition in (
        (export_task, _task.updated_at, in_status(*ENDED_WITHOUT_FILE)),
        (notification, notification.c.created_at, sa.true()),
        (dead_letter, dead_letter.c.at, sa.true()),
        (audit_log, audit_log.c.at, sa.true()),
    ):
        oldest = sa.select(sa.func.min(age)).where(condition)
        yield table.name, connection.execute(oldest).scalar_one()


def _cut(oldest: datetime | None, kept: timedelta | None) -> datetime | None:
    return oldest + kept if oldest and kept else None
