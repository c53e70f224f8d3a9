"""The simulated fleet obeys its limits, and agrees with what the bench measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.fleet import HUGE, Fleet, Load, Plan, alone, beside, busiest, capacity
from tests.benchmarks.fleet_costs import Costs, from_bench, measured_now

COSTS = Costs()
LOAD = Load()


def test_it_agrees_with_the_bench_on_its_machine() -> None:
    """21.6 s for 10,000,000 rows with PostgreSQL and the store on the same two cores."""
    found = alone(Fleet(1, one_machine=True), COSTS, 10_000_000, Plan())
    assert found.seconds == pytest.approx(21.6, rel=0.1)


def test_no_limit_is_used_beyond_what_there_is() -> None:
    found = busiest(Fleet(2), COSTS, LOAD, 20)
    assert found.rows > 0
    assert {name: found.used(name) <= 1.001 for name in found.capacity} == dict.fromkeys(
        found.capacity, True
    )


def test_the_same_seed_gives_the_same_outcome() -> None:
    first, second = (busiest(Fleet(4), COSTS, LOAD, 10) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_shards_divide_the_time_until_the_source_is_used_up() -> None:
    one = alone(Fleet(8), COSTS, HUGE, Plan()).seconds
    eight = alone(Fleet(8), COSTS, HUGE, Plan(shards=8)).seconds
    many = alone(Fleet(200), COSTS, HUGE, Plan(shards=200))
    assert one / eight == pytest.approx(8, rel=0.1)
    assert many.tightest == "source network"
    assert many.seconds >= HUGE * COSTS.wire_bytes / Fleet(200).source_network


def test_a_queue_grows_beyond_the_capacity_and_not_below_it() -> None:
    fleet = Fleet(4)
    most = min(capacity(fleet, COSTS, LOAD).values())
    below, beyond = (busiest(fleet, COSTS, Load(most * share), 60) for share in (0.5, 2.0))
    assert below.small_at(0.95) < 1
    assert beyond.unfinished > 10 * below.unfinished


def test_a_file_in_all_slots_starves_small_ones_unless_it_gives_way() -> None:
    fleet = Fleet(4)
    load = Load(3e5)
    plans = (Plan(8), Plan(8, slice_seconds=2.0), Plan(8, own_queue=True))
    held, aside, apart = (beside(fleet, COSTS, load, plan, 30) for plan in plans)
    assert held.small == []
    assert aside.small_at(0.5) < 10
    assert apart.small_at(0.5) < aside.small_at(0.5)


def test_costs_come_from_a_bench(tmp_path: Path) -> None:
    stages = {
        "read (ADBC)": 1.0,
        "render and deflate": 2.0,
        "digest (SHA-256)": 0.25,
        "upload (boto3, SHA-256, CRC-32)": 0.25,
    }
    runs = {"stages.ours": [stages], "xlsx_encode.ours": [{"file_bytes": 50_000_000}]}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"runs": runs}))
    costs = from_bench(file)
    assert (costs.read_row, costs.render_row, costs.send_row) == (2e-6, 4e-6, 1e-6)
    assert costs.file_bytes == 100
    assert costs.on_machine(2).worker_row == 2 * costs.worker_row


@pytest.mark.slow
def test_costs_are_measured_on_the_machine_of_today() -> None:
    now = measured_now(COSTS)
    slower = now.render_row / COSTS.render_row
    assert now.worker_row == pytest.approx(COSTS.worker_row * slower)
    assert now.task == pytest.approx(COSTS.task * slower)
    assert 80 < now.file_bytes < 120
    assert 80 < now.wire_bytes < 120
