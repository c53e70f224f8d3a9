"""What the auditor looks at in exports in shards (A13 to A15): plans, shards, snapshots held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from waybill.infra.tasks.states import LIVE, TaskStatus


def plan_findings(
    tasks: Sequence[sa.RowMapping],
    plans: Mapping[UUID, sa.RowMapping],
    shards: Mapping[UUID, Sequence[sa.RowMapping]],
    holders: Sequence[sa.RowMapping],
) -> Iterator[str]:
    """What is wrong, one sentence each. `shards` are those of each task, in order."""
    statuses = {task["id"]: task["status"] for task in tasks}
    for task in tasks:
        if task["status"] == TaskStatus.SUCCESS and (own := shards[task["id"]]):
            yield from _of_a_file(task, plans[task["id"]], own)
    for task_id in plans:
        if statuses.get(task_id) not in {*LIVE, TaskStatus.SUCCESS}:
            yield f"A14 {task_id} has ended and has a plan"
    for holder in holders:
        if statuses.get(holder["task_id"]) not in LIVE:
            yield f"A15 {holder['task_id']} has ended, and {holder['held_by']} holds its snapshot"


def _of_a_file(
    task: sa.RowMapping, plan: sa.RowMapping, shards: Sequence[sa.RowMapping]
) -> Iterator[str]:
    """A13: the shards of a finished task are as planned, all written, and share no part."""
    task_id = task["id"]
    if {(shard["state"], shard["fence"]) for shard in shards} != {("DONE", task["fence"])}:
        yield f"A13 {task_id} has a shard that is not written"
        return
    if plan["fence"] != task["fence"] or plan["object_key"] != task["object_key"]:
        yield f"A13 the plan of {task_id} is not that of its file"
    if [shard["number"] for shard in shards] != list(range(len(shards))):
        yield f"A13 {task_id} has not all of its shards"
    planned = sum(shard["rows"] for shard in shards)
    if not planned == plan["rows"] == task["rows_written"]:
        yield f"A13 the shards of {task_id} have other rows"
    for shard in shards:
        yield from _of_a_shard(f"shard {shard['number']} of {task_id}", shard)


def _of_a_shard(name: str, shard: sa.RowMapping) -> Iterator[str]:
    """Its rows are those planned, and its parts are its bytes, by numbers of its own."""
    parts = shard["parts"]
    if not shard["rows"] == shard["rows_done"] == shard["outcome"]["rows"]:
        yield f"A13 {name} has {shard['outcome']['rows']} rows"
    numbers = [part["number"] for part in parts]
    first = shard["first_part"]
    if numbers != list(range(first, first + len(parts))) or len(parts) > shard["most_parts"]:
        yield f"A13 {name} has the parts {numbers}"
    if sum(part["size_bytes"] for part in parts) != shard["outcome"]["file"][0]:
        yield f"A13 {name} has other bytes than its parts"
