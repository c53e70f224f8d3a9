"""What `waybill doctor` asks the task database."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack


def check_database(stack: Stack) -> str:
    """Which database it is and whose tables it has, if it can be used and its clock is ours."""
    stack.check_database(clock=True)
    return f"{stack.engine.dialect.name}, {stack.schema_state()}"
