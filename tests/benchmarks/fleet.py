"""A fleet of workers, simulated with SimPy: exports that come, wait, and use what there is.

Limits are slots, processor time of workers, of the source and of the task database, the source's
network, and requests a second of the store. `tests.benchmarks.simulate_fleet` shows the outcome.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy

from tests.benchmarks.fleet_costs import Costs

Events = Generator[simpy.Event, Any, None]

_DAY = 86_400.0
#: Rows of an export, and their share: many small ones, and few that have most of the rows.
MIX = ((1_000, 0.90), (100_000, 0.09), (1_000_000, 0.009), (10_000_000, 0.001))
SMALL = MIX[0][0]
HUGE = 1_000_000_000
#: A part of an upload, and requests beside parts: begin, complete, look.
_PART_BYTES = 8 << 20
_OTHER_REQUESTS = 3
#: Slices of an export that are read, rendered and sent beside each other.
_SLICES = 32
_LARGEST_SLICE = 2_000_000
_SMALLEST_SLICE = 16_384
_IN_FLIGHT = 4
#: How often an export that has stepped aside looks whether others wait.
_LOOK_SECONDS = 0.5
#: Seconds of a core that one export has before another one's turn.
_TURN = 0.05


@dataclass(frozen=True)
class Fleet:
    """What was bought. Rates are in bytes or requests a second."""

    workers: int
    cores: int = 2
    slots: int = 2
    source_cores: int = 16
    source_network: float = 1.25e9
    store_requests: float = 3_500.0
    database_cores: int = 4
    #: Source and store take the cores of the worker, as on the machine of the bench.
    one_machine: bool = False


@dataclass(frozen=True)
class Plan:
    """How one file is made: by how many shards, and how these give way to others."""

    shards: int = 1
    #: Step aside after so much time while others wait, until they have had as much.
    slice_seconds: float | None = None
    #: Slots belong to a queue: those of another queue are not taken.
    own_queue: bool = False


@dataclass(frozen=True)
class Load:
    """Exports that come at random moments, as many as in the busiest hour of a day."""

    per_day: float = 1e6
    #: The busiest hour against the mean one.
    peak: float = 3.0

    @property
    def per_second(self) -> float:
        """In the busiest hour."""
        return self.per_day / _DAY * self.peak


@dataclass
class Outcome:
    """What came of it. Times are seconds from the click to the link."""

    seconds: float = 0.0
    small: list[float] = field(default_factory=list)
    huge: float | None = None
    rows: int = 0
    unfinished: int = 0
    #: Busy seconds of each limit, and how many it could have had.
    busy: dict[str, float] = field(default_factory=dict)
    capacity: dict[str, float] = field(default_factory=dict)

    def used(self, limit: str) -> float:
        """Share of a limit that was used."""
        return self.busy.get(limit, 0.0) / (self.capacity[limit] * self.seconds)

    @property
    def tightest(self) -> str:
        """The limit that was used most."""
        return max(self.capacity, key=self.used)

    def small_at(self, share: float) -> float:
        """The time that this share of the small exports took at most; infinite if none ended."""
        ordered = sorted(self.small)
        return ordered[int(share * (len(ordered) - 1))] if ordered else float("inf")


class Simulation:
    """One fleet under one load."""

    def __init__(self, fleet: Fleet, costs: Costs, seed: int = 1) -> None:
        self.env = simpy.Environment()
        self.outcome = Outcome()
        self._fleet, self._costs = fleet, costs
        self._chance = random.Random(seed)  # noqa: S311 - moments and sizes, not secrets
        self._cores = [simpy.PriorityResource(self.env, fleet.cores) for _ in range(fleet.workers)]
        self._slots, self._own_slots = (self._free_slots() for _ in range(2))
        self._source = simpy.Resource(self.env, fleet.source_cores)
        self._network = simpy.Resource(self.env, 1)
        self._store = simpy.Resource(self.env, 1)
        self._database = simpy.Resource(self.env, fleet.database_cores)
        self.outcome.capacity = {
            "slots": fleet.workers * fleet.slots,
            "workers": fleet.workers * fleet.cores,
            "source": fleet.source_cores,
            "source network": 1,
            "store requests": 1,
            "database": fleet.database_cores,
        }

    def _free_slots(self) -> simpy.Store:
        """The slots of one queue. A free slot is the number of its worker."""
        free = simpy.Store(self.env)
        free.items = [n for _ in range(self._fleet.slots) for n in range(self._fleet.workers)]
        return free

    def run(self, seconds: float) -> Outcome:
        """Until this moment. What has not ended then is counted."""
        self.env.run(until=seconds)
        self.outcome.seconds = seconds
        return self.outcome

    def run_one(self, rows: int, plan: Plan) -> Outcome:
        """One export alone, to its end."""
        self.env.run(until=self.env.process(self.export(rows, plan)))
        self.outcome.seconds = self.env.now
        return self.outcome

    def arrivals(self, load: Load) -> Events:
        """Exports of the mix, at random moments."""
        sizes, weights = zip(*MIX, strict=True)
        while True:
            yield self.env.timeout(self._chance.expovariate(load.per_second))
            (rows,) = self._chance.choices(sizes, weights)
            self.env.process(self.export(rows, Plan()))

    def export(self, rows: int, plan: Plan) -> Events:
        """One export, from the click to the link."""
        begun = self.env.now
        self.outcome.unfinished += 1
        yield from self._use(self._database, "database", self._costs.task_database / 2)
        shards = [
            self.env.process(self._shard(share, plan)) for share in _shares(rows, plan.shards)
        ]
        yield self.env.all_of(shards)
        yield from self._use(self._database, "database", self._costs.task_database / 2)
        self.outcome.unfinished -= 1
        took = self.env.now - begun
        if rows == SMALL:
            self.outcome.small.append(took)
        if rows == HUGE:
            self.outcome.huge = took

    def _shard(self, rows: int, plan: Plan) -> Events:
        """A shard holds a slot to its end, or steps aside after each slice."""
        piece, pause = rows, plan.slice_seconds or 0.0
        if pause:
            share = self._fleet.cores / self._fleet.slots
            piece = int(pause * share / self._costs.worker_row)
        free = self._own_slots if plan.own_queue else self._slots
        while rows > 0:
            worker = yield free.get()
            begun = self.env.now
            yield from self._piece(worker, min(rows, piece))
            rows -= piece
            free.put(worker)
            self._count("slots", self.env.now - begun)
            until = self.env.now + pause
            while free.get_queue and self.env.now < until:
                yield self.env.timeout(_LOOK_SECONDS)

    def _piece(self, worker: int, rows: int) -> Events:
        """Rows that one worker reads, renders and sends: the three go on beside each other."""
        yield self.env.timeout(self._costs.task_latency)
        yield from self._compute(worker, self._costs.task)
        size = min(max(_SMALLEST_SLICE, rows // _SLICES), _LARGEST_SLICE)
        room = simpy.Resource(self.env, _IN_FLIGHT)
        sending = []
        for start in range(0, rows, size):
            count = min(size, rows - start)
            place = room.request()
            yield place
            yield from self._read(worker, count)
            sending.append(self.env.process(self._render(worker, count, room, place)))
        yield self.env.all_of(sending)
        yield from self._request(_OTHER_REQUESTS)

    def _read(self, worker: int, rows: int) -> Events:
        """The source prints rows while the worker takes them: one connection, in order."""
        costs = self._costs
        steps = [
            self._compute(worker, costs.source_row * rows)
            if self._fleet.one_machine
            else self._use(self._source, "source", costs.source_row * rows),
            self._use(
                self._network,
                "source network",
                costs.wire_bytes * rows / self._fleet.source_network,
            ),
            self._compute(worker, costs.read_row * rows),
        ]
        yield self.env.all_of([self.env.process(step) for step in steps])
        self.outcome.rows += rows

    def _render(
        self, worker: int, rows: int, room: simpy.Resource, place: simpy.resources.resource.Request
    ) -> Events:
        costs = self._costs
        yield from self._compute(worker, (costs.render_row + costs.send_row) * rows)
        yield from self._request(costs.file_bytes * rows / _PART_BYTES)
        if self._fleet.one_machine:
            yield from self._compute(worker, costs.store_row * rows)
        room.release(place)

    def _compute(self, worker: int, seconds: float) -> Events:
        """A core in turns, shared as the kernel shares it: who needs little of it goes first."""
        rank = 0 if seconds <= 2 * _TURN else 1
        while seconds > 0:
            turn = min(seconds, _TURN)
            with self._cores[worker].request(priority=rank) as core:
                yield core
                yield self.env.timeout(turn)
            self._count("workers", turn)
            seconds -= turn

    def _request(self, count: float) -> Events:
        yield from self._use(self._store, "store requests", count / self._fleet.store_requests)

    def _use(self, limit: simpy.Resource, name: str, seconds: float) -> Events:
        with limit.request() as turn:
            yield turn
            yield self.env.timeout(seconds)
        self._count(name, seconds)

    def _count(self, name: str, seconds: float) -> None:
        self.outcome.busy[name] = self.outcome.busy.get(name, 0.0) + seconds


def _shares(rows: int, shards: int) -> Iterator[int]:
    for number in range(shards):
        yield rows * (number + 1) // shards - rows * number // shards


def busiest(fleet: Fleet, costs: Costs, load: Load, seconds: float) -> Outcome:
    """Minutes of the busiest hour."""
    simulation = Simulation(fleet, costs)
    simulation.env.process(simulation.arrivals(load))
    return simulation.run(seconds)


def beside(fleet: Fleet, costs: Costs, load: Load, plan: Plan, seconds: float) -> Outcome:
    """The same, with one export of 10⁹ rows from the beginning."""
    simulation = Simulation(fleet, costs)
    simulation.env.process(simulation.export(HUGE, plan))
    simulation.env.process(simulation.arrivals(load))
    return simulation.run(seconds)


def alone(fleet: Fleet, costs: Costs, rows: int, plan: Plan) -> Outcome:
    """One export on an idle fleet."""
    return Simulation(fleet, costs).run_one(rows, plan)


def capacity(fleet: Fleet, costs: Costs, load: Load) -> dict[str, float]:
    """Exports a day at which each limit is used up in the busiest hour, by its name."""
    rows = sum(size * share for size, share in MIX)
    requests = costs.file_bytes * rows / _PART_BYTES + _OTHER_REQUESTS
    held = costs.task_latency + costs.task + costs.worker_row * rows / fleet.cores
    each = {
        "slots": held / (fleet.workers * fleet.slots),
        "workers": (costs.task + costs.worker_row * rows) / (fleet.workers * fleet.cores),
        "source": costs.source_row * rows / fleet.source_cores,
        "source network": costs.wire_bytes * rows / fleet.source_network,
        "store requests": requests / fleet.store_requests,
        "database": costs.task_database / fleet.database_cores,
    }
    return {name: _DAY / load.peak / seconds for name, seconds in each.items()}
