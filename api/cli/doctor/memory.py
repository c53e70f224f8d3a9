"""The memory of a process: what it may take, and what that allows."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.memory import MIB
from waybill.infra.config.memory_limit import available_memory, container_limit, machine_memory


def check_memory(stack: Stack) -> str:
    """The budget, and how many exports and how large a row it has room for.

    Raises:
        BadSettings: the kernel will end the process before it reaches its budget.
    """
    budget = stack.settings.memory_budget
    whole = available_memory()
    limit = container_limit()
    of = "the container's limit" if limit and limit <= machine_memory() else "the machine's memory"
    if budget.size_bytes > whole:
        raise BadSettings(
            f"WAYBILL_MEMORY is {budget.size_bytes // MIB:,} MiB, more than {of}, "
            f"{whole // MIB:,} MiB: the kernel would end the worker and what it runs."
        )
    exports = budget.exports_at_once
    return (
        f"{budget.size_bytes // MIB:,} of {whole // MIB:,} MiB ({of}): "
        f"room for {exports:,} {'exports' if exports > 1 else 'export'} at once, and for "
        f"rows of up to {budget.max_row_bytes // MIB:,} MiB"
    )
