"""One page of the task list, in a table of a million tasks on PostgreSQL, over HTTP.

Most people have a thousand tasks. One has a tenth of the whole table: what the total above
the pages costs there is shown too, and so is the cursor, which does not count.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from sqlalchemy.engine import Engine

from tests.benchmarks.http_load import send_all
from tests.benchmarks.process import Figures
from tests.support.servers.task_api import TASKS, running_api

_TASKS_EACH = 1_000
_PAGES = 200
_TENANT, _HEAVY, _ORDINARY = "acme", "heavy", "user-7"

_FILL = """
    INSERT INTO export_task (
        id, tenant_id, created_by, roles, task_type, queue, format, params, filename, status,
        error_code, error_message, attempt, max_attempts, version, created_at, updated_at
    )
    SELECT gen_random_uuid(), %(tenant)s,
        CASE WHEN n %% 10 = 0 THEN %(heavy)s ELSE 'user-' || n %% %(people)s END,
        '["sales"]', 'orders', 'orders', 'xlsx', '{"city": null}', 'orders.xlsx', 'FAILED',
        'internal_error', 'An unforeseen error.', 3, 3, 7,
        now() - n * interval '1 second', now() - n * interval '1 second'
    FROM generate_series(1, %(tasks)s) AS n
"""


def ours(database: str, tasks: int) -> Figures:
    """Median milliseconds of a page for an ordinary owner; of his cursor; for the heavy one."""
    with tempfile.TemporaryDirectory() as home, running_api(database, Path(home)) as api:
        _fill(api.engine, tasks)

        def milliseconds(user: str, query: str) -> float:
            token = api.token(_TENANT, user)
            *seconds, _ = send_all(f"{api.url}{TASKS}?{query}", [token], None, times=_PAGES)
            return 1000 * statistics.median(seconds)

        return {
            "page_ms": milliseconds(_ORDINARY, "page=2&page_size=20"),
            "cursor_ms": milliseconds(_HEAVY, "cursor=&page_size=20"),
            "heavy_page_ms": milliseconds(_HEAVY, "page=2&page_size=20"),
        }


def _fill(engine: Engine, tasks: int) -> None:
    values = {
        "tasks": tasks,
        "people": max(1, tasks // _TASKS_EACH),
        "tenant": _TENANT,
        "heavy": _HEAVY,
    }
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # VACUUM finds no page all visible whose rows are not yet known to be on disk.
        connection.exec_driver_sql("SET synchronous_commit = on")
        connection.exec_driver_sql(_FILL, values)
        connection.exec_driver_sql("VACUUM (ANALYZE) export_task")
