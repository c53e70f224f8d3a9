"""What `waybill doctor` asks of the datasets and the database they read."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack


def check_datasets(stack: Stack) -> str:
    """How many datasets are declared, and their queues."""
    return f"{len(list(stack.registry))} declared, queues {', '.join(stack.registry.queues)}"
