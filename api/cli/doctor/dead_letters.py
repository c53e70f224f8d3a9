"""What `waybill doctor` says of dead letters: how many wait for an operator."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack


def check_dead_letters(stack: Stack) -> str:
    """How many are open in the task database. They are no fault of the installation."""
    if not stack.has_tables():
        return "tables not made yet"
    stack.check_database(tables=True)
    if not (count := stack.dead_letters.count_open()):
        return "none is open"
    return f"{count:,} open: `waybill dead-letters list` names the cause of each"
