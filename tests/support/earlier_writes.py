"""What processes of earlier versions write while the tables change under them."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import write_transaction

#: What versions since 0.1 can write, at every revision.
_POST = (
    "INSERT INTO export_task (id, tenant_id, created_by, roles, task_type, queue, format, params,"
    " filename, status, max_attempts, created_at, updated_at)"
    " VALUES ('{}', 'acme', 'ann', '[]', 'orders', 'orders', 'csv', '{{}}', 'x', 'PENDING', 3,"
    " now(), now())"
)
_HEARTBEAT = "UPDATE export_task SET rows_done = rows_done + 1 WHERE id = '{}'"


def begin_task(connection: Connection) -> str:
    """A task, in a transaction that goes on; its id."""
    task = str(uuid4())
    connection.exec_driver_sql(_POST.format(task))
    return task


def write(engine: Engine, task: str) -> None:
    """A request and a heartbeat, as processes of the version before make them."""
    with write_transaction(engine) as connection:
        # Only so that what fails ends.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '20s'")
        begin_task(connection)
        connection.exec_driver_sql(_HEARTBEAT.format(task))
