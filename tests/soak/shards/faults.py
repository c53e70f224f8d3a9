"""What is done to an export in shards, each kind by its name."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.shards.workers import Export, freeze, thaw
from tests.support.amqp_probe import bare_channel
from tests.support.wide_exports import ROWS
from waybill.infra.broker.rabbitmq.topology import Names, Topology
from waybill.infra.db.installation import installation_id
from waybill.infra.failpoints import FAILPOINTS

#: Between two parts of a shard.
PART_POINTS = ("w.part", "shard.part", "shard.reached")
#: An order for a worker: its role, and where it dies.
Order = tuple[str, str]


@dataclass(frozen=True)
class Fault:
    """One kind of what may happen; either an order before the export, or something done to it."""

    order: Callable[[random.Random], Order] | None = None
    act: Callable[[Export], None] | None = None


def at_part(chance: random.Random) -> Order:
    point = chance.choice([point for point in PART_POINTS if point in FAILPOINTS])
    return chance.choice(("owner", "helper")), f"{point}:{chance.randint(1, 5)}"


def between_shards(chance: random.Random) -> Order:
    point = chance.choice(("shard.written", "shard.recorded"))
    return chance.choice(("owner", "helper")), f"{point}:{chance.randint(1, 2)}"


def at_the_end(chance: random.Random) -> Order:
    return "owner", chance.choice(("w.before_complete:1", "w.after_complete:1"))


def get_far(export: Export) -> bool:
    """Wait until some rows more are written, and a moment; False when the export has ended."""
    least = export.rows_written() + export.chance.randrange(ROWS // 2)
    if not export.until(lambda: export.rows_written() >= least):
        return False
    # A shard says how far it is only now and then, so this ends somewhere inside a part.
    time.sleep(export.chance.random())
    return bool(export.bench.live(export.task_id))


def inside_a_part(export: Export) -> None:
    if not get_far(export):
        return
    writers = [process for process, _ in export.writers()] or [export.owner()]
    victim = export.chance.choice(writers)
    if victim is not None:
        export.workers.kill(victim)
        export.done["inside a part"] += 1


def first_holder(export: Export) -> None:
    """The worker that took the snapshot, once another one holds it too."""
    if not export.until(lambda: len(export.bench.holders(export.task_id)) > 1):
        return
    if (owner := export.owner()) is not None:
        export.workers.kill(owner)
        export.done["snapshot holder"] += 1


def all_at_once(export: Export) -> None:
    if get_far(export):
        export.workers.kill(*export.workers.running)
        export.done["all at once"] += 1


def frozen(export: Export) -> None:
    """A worker freezes, and thaws when another one has its shard, or has written it anew."""
    if not export.until(export.writers):
        return
    victim, shard = export.chance.choice(export.writers() or [(None, None)])
    if victim is None:
        return
    freeze(victim)
    states = {"DONE"} if export.chance.random() < 0.5 else {"RUNNING", "DONE"}

    def is_taken_over() -> bool:
        now = export.shards()
        if len(now) <= shard["number"]:
            return False
        other = now[shard["number"]]
        return other["claim_id"] not in (None, shard["claim_id"]) and other["state"] in states

    try:
        export.until(is_taken_over)
        export.done["frozen, and thawed"] += 1
    finally:
        thaw(victim)


def broker_wiped(export: Export) -> None:
    """All its queues are deleted, with every message in them; a worker may die as well."""
    if get_far(export):
        names = Names(installation_id(export.bench.engine))
        asyncio.run(delete_queues(export.bench.env["WAYBILL_AMQP_URL"], names))
        export.done["queues deleted"] += 1
        if export.chance.random() < 0.5:
            inside_a_part(export)


async def delete_queues(url: str, names: Names) -> None:
    """Delete the work queues of one installation."""
    topology = Topology(("quick",), (), names)
    async with bare_channel(url) as channel:
        for queue in topology.all_queues():
            await channel.queue_delete(queue.name)


#: In turn, by seed. Without a fault two runs have to give the same bytes as well.
FAULTS: dict[str, Fault] = {
    "at a part boundary": Fault(order=at_part),
    "inside a part": Fault(act=inside_a_part),
    "between shards": Fault(order=between_shards),
    "snapshot holder": Fault(act=first_holder),
    "completer": Fault(order=at_the_end),
    "all at once": Fault(act=all_at_once),
    "frozen": Fault(act=frozen),
    "broker": Fault(act=broker_wiped),
    "none": Fault(),
}


def plan_of(seed: int, chance: random.Random) -> list[str]:
    """The kinds for one seed: one in its turn, and often another."""
    names = list(FAULTS)
    first = names[seed % len(names)]
    if first == "none" or chance.random() < 0.5:
        return [first]
    return [first, chance.choice(names[:-1])]
