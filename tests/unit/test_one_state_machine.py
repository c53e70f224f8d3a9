"""The state machine is one place: no other code inserts a task or changes its status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from waybill.infra.tasks.lifecycle.transitions import moves
from waybill.infra.tasks.states import TRANSITIONS, TaskStatus

ROOT = Path(__file__).parents[2]
TRANSITIONS_PACKAGE = ROOT / "infra/tasks/lifecycle/transitions"
#: Migrations make the table, and a test compares it.
SOURCES = [
    path
    for room in ("api", "exporter", "storage", "infra")
    for path in sorted((ROOT / room).rglob("*.py"))
    if TRANSITIONS_PACKAGE not in path.parents and "migrations" not in path.parts
]
#: Calls that write rows: SQLAlchemy's, and those of the state machine.
WRITERS = {"values", "update_tasks", "move_tasks", "insert_task", "execute"}
#: Calls that begin an INSERT; their first arguments may be a table.
INSERTS = {"insert", "insert_ignoring"}


def writes_of_status(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that give a value to a column of this name, or insert a row of the table."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        if name in WRITERS and "status" in names_given(call):
            yield call
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name in INSERTS and any(is_task_table(item) for item in (owner, *call.args)):
            yield call


def names_given(call: ast.Call) -> set[str | None]:
    """The keywords of a call, and the keys of dictionaries among its arguments."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    keys = {
        key.value
        for argument in arguments
        for node in ast.walk(argument)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
    return {keyword.arg for keyword in call.keywords} | keys


def is_task_table(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "export_task"


def test_nothing_else_writes_the_status_of_a_task() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        if "export_task" in (text := path.read_text())
        for call in writes_of_status(ast.parse(text))
    }
    assert found == set()


def test_no_text_of_sql_writes_tasks() -> None:
    written = [
        path
        for path in SOURCES
        for statement in ("UPDATE export_task", "INSERT INTO export_task")
        if statement.lower() in path.read_text().lower()
    ]
    assert written == []


@pytest.mark.parametrize(
    "planted",
    [
        "sa.update(export_task).where(x).values(status='SUCCESS')",
        "sa.update(export_task).values({'status': 'SUCCESS'})",
        "update_tasks(connection, now, conditions, status=x)",
        "update_tasks(connection, now, conditions, **{'status': x} | more)",
        "sa.insert(export_task)",
        "export_task.insert()",
        "insert_ignoring(connection, export_task)",
    ],
)
def test_the_scan_finds_what_it_looks_for(planted: str) -> None:
    assert list(writes_of_status(ast.parse(planted)))


def test_the_moves_take_every_legal_edge_and_no_other() -> None:
    declared = [value for value in vars(moves).values() if isinstance(value, moves.Move)]
    edges = {(move.before, after) for move in declared for after in move.after if move.before}
    assert edges == TRANSITIONS


def test_a_move_along_no_edge_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="cannot go from FAILED to PENDING"):
        moves.Move("revive", TaskStatus.FAILED, (TaskStatus.PENDING,))
