"""The memory budget of a process: its value, the container's limit, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from waybill.api.cli.doctor.memory import check_memory
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.memory import MIB, MemoryBudget, memory_budget
from waybill.infra.config.memory_limit import available_memory, container_limit, machine_memory
from waybill.infra.config.settings import load
from waybill.infra.worker.capacity import Capacity


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512MiB", 512 * MIB),
        ("512Mi", 512 * MIB),
        ("1.5GB", 1_500_000_000),
        ("2 g", 2_000_000_000),
        ("268435456", 268_435_456),
        ("1TiB", 1 << 40),
    ],
)
def test_f106_a_budget_is_a_size(text: str, size_bytes: int) -> None:
    assert load(memory=text).memory_budget.size_bytes == size_bytes


def test_f106_a_budget_is_a_share_of_what_there_is() -> None:
    assert memory_budget("50%").size_bytes == available_memory() // 2
    assert load().memory_budget == memory_budget("80%")
    assert available_memory() <= machine_memory()


@pytest.mark.parametrize(
    "text", ["lots", "512 apples", "-1GB", "0%", "101%", "1MiB", "512", "1e9", "∞", "9" * 15 + "TB"]
)
def test_f106_what_is_no_budget_is_one_line(text: str) -> None:
    with pytest.raises(BadSettings, match=r"WAYBILL_MEMORY: must be .*\.$") as refused:
        load(memory=text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        # A container sees its own group as the root.
        ("0::/\n", {"memory.max": "335544320\n"}, 320 * MIB),
        # A service of systemd, of which a group above has the smaller limit.
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "1048576\n"}, MIB),
        # The path of the host, which is not there.
        ("0::/kubepods/pod7\n", {"memory.max": "2097152\n"}, 2 * MIB),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "1048576\n"}, MIB),
        ("3:cpu,memory:/docker/1\n", {"memory/memory.limit_in_bytes": "1048576\n"}, MIB),
        ("4:memory:/\n0::/u\n", {"unified/u/memory.max": "1048576\n"}, MIB),
        ("1:name=systemd:/x\n", {"memory.max": "5\n"}, None),
    ],
)
def test_f106_the_limit_of_a_container_is_found(
    tmp_path: Path, membership: str, files: dict[str, str], limit: int | None
) -> None:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "trees" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert container_limit(tmp_path / "trees", tmp_path / "cgroup") == limit


def test_a_machine_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert container_limit(tmp_path, tmp_path / "none") is None


def test_the_doctor_says_what_the_budget_allows_and_that_there_is_no_such_memory() -> None:
    with Stack(load(memory="64MiB")) as little:
        assert "room for 1 export at once, and for rows of up to 16 MiB" in check_memory(little)
    with (
        Stack(load(memory="999TiB")) as much,
        pytest.raises(BadSettings, match="WAYBILL_MEMORY is 1,047,527,424 MiB, more than"),
    ):
        check_memory(much)


@pytest.mark.parametrize(
    ("mib", "exports"), [(64, 1), (240, 1), (384, 1), (400, 2), (1_024, 8), (16_384, 161)]
)
def test_f106_a_budget_has_room_for_one_export_at_least(mib: int, exports: int) -> None:
    budget = MemoryBudget(mib * MIB)
    assert budget.exports_at_once == exports
    assert budget.max_row_bytes >= 16 * MIB


async def test_f106_all_queues_share_the_room_and_none_more_than_its_own() -> None:
    capacity = Capacity(["a", "b"], concurrency=2, exports_at_once=3)
    capacity.take("a")
    assert not capacity.is_idle
    capacity.take("a")
    assert capacity.is_full_for("a")
    assert not capacity.is_full
    capacity.take("b")
    assert capacity.is_full
    assert not capacity.room.is_set()
    capacity.release("a")
    assert capacity.room.is_set()
    capacity.release("a")
    capacity.release("b")
    assert capacity.idle.is_set()


async def test_f106_a_long_queue_does_not_hold_up_the_others() -> None:
    few = Capacity(["a", "b", "c"], concurrency=2, exports_at_once=1)
    assert few.after("a") == ["b", "c", "a"]
    assert few.after("c") == ["a", "b", "c"]
    enough = Capacity(["a", "b", "c"], concurrency=2, exports_at_once=6)
    assert enough.after("b") == ["b"]


async def test_a_worker_that_helps_keeps_a_place_of_each_queue_and_one_of_all() -> None:
    capacity = Capacity(["a", "b"], concurrency=3, exports_at_once=4)
    for _ in range(2):
        assert capacity.may_help("a")
        capacity.take("a")
    assert not capacity.may_help("a")
    assert capacity.may_help("b")
    capacity.take("b")
    assert not capacity.may_help("b")
    capacity.release("a")
    assert capacity.may_help("a")


@pytest.mark.parametrize(("concurrency", "at_once"), [(1, 1), (1, 8), (4, 1)])
async def test_a_worker_of_one_place_helps_when_it_is_free(concurrency: int, at_once: int) -> None:
    capacity = Capacity(["a"], concurrency=concurrency, exports_at_once=at_once)
    assert capacity.may_help("a")
    capacity.take("a")
    assert not capacity.may_help("a")
