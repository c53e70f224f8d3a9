"""F87: a statement that takes a batch chooses its rows once, whatever the database plans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.notification_rows import BOTH, ended, take
from waybill.faults import Fault
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.outbox import Outbox

INFRA = Path(__file__).parents[2] / "infra"


@contextmanager
def recorded(engine: Engine) -> Iterator[list[str]]:
    """The statements that change rows, while it is open."""
    statements: list[str] = []

    def record(_connection, _cursor, statement: str, *_more: object) -> None:
        if re.search(r"\b(UPDATE \w|DELETE FROM)", statement):
            statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)


def is_chosen_once(statement: str) -> bool:
    """Whether every bounded query of the statement is in a CTE that is materialized."""
    change = re.search(r"^\s*(UPDATE|DELETE)\b", statement, re.MULTILINE)
    assert change
    chosen, changed = statement[: change.start()], statement[change.start() :]
    return "LIMIT" not in changed and "AS MATERIALIZED" in chosen


def test_f87_each_batch_is_chosen_once(engine: Engine) -> None:
    ended(engine, notify=BOTH)
    outages = TaskOutages(engine)
    with recorded(engine) as statements:
        Outbox(engine).take()
        take(engine)
        outages.mark(Fault.STORAGE, ["orders"])
        outages.clear(Fault.STORAGE, ["orders"])

    batches = [statement for statement in statements if "LIMIT" in statement]
    assert len(batches) == 4
    assert [statement for statement in batches if not is_chosen_once(statement)] == []


def test_f87_rows_are_locked_in_batches_by_one_helper_only() -> None:
    """Beside it, the scheduler compares with one row: PostgreSQL runs such a query once."""
    found = {
        path.relative_to(INFRA).as_posix()
        for path in INFRA.rglob("*.py")
        if re.search(r"with_for_update\(\s*skip_locked", path.read_text())
    }
    assert found == {"db/batches.py", "tasks/lifecycle/scheduler.py"}
