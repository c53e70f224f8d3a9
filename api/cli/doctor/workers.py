"""What `waybill doctor` says of workers: whether each queue has one."""

from __future__ import annotations

from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.tasks.workers import Workers


class NoWorker(WaybillError):
    """Exports wait in a queue that no worker takes them from."""

    code = "no_worker"


def check_workers(stack: Stack) -> str:
    """The living workers; an error where exports wait in a queue that none of them takes."""
    if not stack.has_tables():
        return "tables not made yet"
    stack.check_database(tables=True)
    workers = Workers(stack.engine)
    queues = workers.by_queue(stack.registry.queues)
    alone = [item for item in queues if not item.workers]
    if waiting := [item for item in alone if item.waiting]:
        found = "; ".join(
            f"{item.queue!r} ({item.waiting:,} wait since"
            f" {item.oldest_waiting_since:%Y-%m-%d %H:%M:%S} UTC)"
            for item in waiting
        )
        raise NoWorker(
            f"No worker takes exports from {found}. Start one: waybill worker --queue NAME."
        )
    living = len(workers.all(alive_only=True))
    if not alone:
        return f"{living} alive, every queue has one"
    names = ", ".join(item.queue for item in alone)
    return f"{living} alive; none for {names}, where nothing waits"
