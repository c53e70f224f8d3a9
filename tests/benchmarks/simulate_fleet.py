"""A fleet of workers, simulated: where it bends, and what one file of 10⁹ rows takes.

::

    python -m tests.benchmarks.simulate_fleet --bench bench.json

simulates minutes of the busiest hour of a day of a million exports, with 1 to 200 workers. Nothing
is run but the rendering that calibrates it. `docs/scale.md` draws the conclusions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.fleet import HUGE, Fleet, Load, Plan, alone, beside, busiest, capacity
from tests.benchmarks.fleet_costs import Costs, from_bench, measured_now

WORKERS = (1, 2, 4, 8, 16, 32, 64, 100, 200)
#: Longer than a file of 10⁹ rows takes by shards.
_BESIDE_SECONDS = 480.0


def main() -> None:
    """Calibrate, simulate, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, help="a bench.json; default: the one of 2026-11-29")
    parser.add_argument("--as-measured", action="store_true", help="do not measure this machine")
    parser.add_argument("--seconds", type=float, default=300.0, help="of the busiest hour")
    parser.add_argument("--per-day", type=float, default=1e6, help="exports a day")
    options = parser.parse_args()
    costs = from_bench(options.bench) if options.bench else Costs()
    if not options.as_measured:
        costs = measured_now(costs)
    console = Console(width=120)
    console.print(costs)
    check = alone(Fleet(1, one_machine=True), costs, 10_000_000, Plan())
    console.print(
        f"10,000,000 rows with source and store on the same two cores: {check.seconds:.1f} s"
    )
    load = Load(options.per_day)
    console.print(_fleet_table(costs, load, options.seconds))
    console.print(_file_table(costs))
    console.print(_neighbours_table(costs, load))


def _fleet_table(costs: Costs, load: Load, seconds: float) -> Table:
    table = Table(title=f"{load.per_day:,.0f} exports a day, busiest hour")
    for name in ("workers", "small p50", "small p95", "waiting at the end", "slots", "cores"):
        table.add_column(name, justify="right")
    for name in ("a day at most", "limit", "a day with 8 slots", "limit"):
        table.add_column(name, justify="right")
    for workers in WORKERS:
        fleet = Fleet(workers)
        found = busiest(fleet, costs, load, seconds)
        most = (capacity(fleet, costs, load), capacity(Fleet(workers, slots=8), costs, load))
        (few, bound), (many, then) = (min((v, k) for k, v in one.items()) for one in most)
        table.add_row(
            f"{workers}",
            f"{found.small_at(0.5):.2f} s",
            f"{found.small_at(0.95):.2f} s",
            f"{found.unfinished:,}",
            f"{found.used('slots'):.0%}",
            f"{found.used('workers'):.0%}",
            f"{few / 1e6:.1f} M",
            bound,
            f"{many / 1e6:.1f} M",
            then,
        )
    return table


def _file_table(costs: Costs) -> Table:
    table = Table(title="One file of 10⁹ rows, on an idle fleet")
    for name in ("workers", "by one worker", "by shards", "times as fast", "limit of the shards"):
        table.add_column(name, justify="right")
    for workers in WORKERS:
        fleet = Fleet(workers)
        one = alone(fleet, costs, HUGE, Plan())
        many = alone(fleet, costs, HUGE, Plan(shards=workers))
        table.add_row(
            f"{workers}",
            f"{one.seconds / 60:.1f} min",
            f"{many.seconds / 60:.1f} min",
            f"{one.seconds / many.seconds:.1f}",
            f"{many.tightest} {many.used(many.tightest):.0%}",
        )
    return table


def _neighbours_table(costs: Costs, load: Load) -> Table:
    table = Table(title="Small exports while a file of 10⁹ rows is made, 8 workers")
    for name in ("the file is made by", "it is ready after", "small p50", "small p95"):
        table.add_column(name, justify="right")
    fleet = Fleet(8)
    plans = {
        "one worker": Plan(),
        "16 shards in all slots": Plan(16),
        "the same, stepping aside after 60 s": Plan(16, 60.0),
        "the same, stepping aside after 5 s": Plan(16, 5.0),
        "16 shards in a queue of their own": Plan(16, own_queue=True),
        "8 shards in a queue of their own": Plan(8, own_queue=True),
    }
    found = {"nobody": busiest(fleet, costs, load, _BESIDE_SECONDS)}
    found |= {
        name: beside(fleet, costs, load, plan, _BESIDE_SECONDS) for name, plan in plans.items()
    }
    for name, one in found.items():
        ready = f"{one.huge / 60:.1f} min" if one.huge else ""
        table.add_row(name, ready, f"{one.small_at(0.5):.2f} s", f"{one.small_at(0.95):.2f} s")
    return table


if __name__ == "__main__":
    main()
