"""What `waybill doctor` asks the task database."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack


def check_database(stack: Stack) -> str:
    """Which database it is, if it answers."""
    stack.check_database()
    return stack.engine.dialect.name
