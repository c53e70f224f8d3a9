"""F87: a statement that takes a batch chooses its rows once, under every query plan."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import Engine

from tests.support.notification_rows import BOTH, ended, take
from tests.support.old_rows import add_old_rows
from tests.support.statements import recorded
from waybill.faults import Fault
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.outbox import Outbox

INFRA = Path(__file__).parents[2] / "infra"


CHANGE = re.compile(r"^\s*(UPDATE|DELETE)\b", re.MULTILINE)


def is_chosen_once(statement: str) -> bool:
    """Whether every bounded query of the statement is in a CTE that is materialized."""
    change = CHANGE.search(statement)
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
        add_old_rows(engine, 1)
        for step in Pruning(engine).steps():
            step()

    # The notification queue reads the rows that it locks: its limit is that of the statement.
    batches = [
        statement
        for statement, _ in statements
        if "LIMIT" in statement and CHANGE.search(statement)
    ]
    assert len(batches) == 3 + 7
    assert [statement for statement in batches if not is_chosen_once(statement)] == []


def test_f87_rows_are_locked_in_batches_by_one_helper_only() -> None:
    """Beside it, turns, schedules and shards lock one row each, for which PostgreSQL runs a query
    once, and pruning and the notification queue read the rows that they lock."""
    found = {
        path.relative_to(INFRA).as_posix()
        for path in INFRA.rglob("*.py")
        if re.search(r"with_for_update\(\s*skip_locked", path.read_text())
    }
    assert found == {
        "db/batches.py",
        "notifications/queue.py",
        "tasks/lifecycle/pruning.py",
        "schedules/rows.py",
        "tasks/lifecycle/turns.py",
        "tasks/shards.py",
    }
