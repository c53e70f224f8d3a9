"""Rules for the tests themselves: no imports between them, no private patches, no sleeping.

A rule may be broken where the reason stands here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("test_*.py"))

_GUARD = "takes a guard out of the code, and sees a test of it fail"
#: Tests that replace a private name, and why.
PATCHES = {
    "contract/test_claims.py _note_held": "makes two workers meet at the worst moment",
    "faults/test_broker_consuming.py _arrive": "loses one delivery, as a broker could",
    "faults/test_broker_consuming.py _listen": "counts how often a queue is listened to",
    "faults/test_completeness_mutations.py _concat": _GUARD,
    "faults/test_mutations.py _claim_when_possible": _GUARD,
    "faults/test_mutations.py _publish": _GUARD,
    "unit/test_storage_memory.py _DISTRIBUTION": "stands for an installation without the extra",
}

#: Tests that sleep: how often at most, and what for. None of them proves an absence.
SLEEPS = {
    "contract/test_brokers.py": (1, "work that takes a moment, so that runs could overlap"),
    "faults/test_attempts.py": (2, "an export outlives its lease, which ends by real time"),
    "faults/test_broker_consuming.py": (2, "work outlives the server's own timeout"),
    "faults/test_broker_outages.py": (1, "work goes on while the broker is frozen"),
    "faults/test_many_kills.py": (1, "kills at random moments"),
    "faults/test_races.py": (2, "two threads meet at random moments"),
    "integration/test_api_events_faults.py": (1, "streams beat while the database is away"),
    "integration/test_rabbitmq_broker.py": (1, "a consumer tries to connect, and logs it"),
    "integration/test_source_postgres.py": (2, "a reader outlives the server's own timeouts"),
}

#: Tests that compare a time taken with a limit, by how many such limits, and why.
TIME_LIMITS = {
    "contract/test_source_counts.py": (2, "a count must end within the time it promises"),
    "contract/test_source_release.py": (1, "a cancel ends a statement that runs much longer"),
    "e2e/test_worker_killed.py": (1, "another worker takes over within the promised time"),
    "faults/test_database_outages.py": (2, "waits that a lock or an outage would make longer"),
    "integration/test_api_estimates.py": (2, "an estimate must end within the time it promises"),
    "integration/test_api_events_faults.py": (1, "open streams would hold a shutdown for ever"),
    "integration/test_api_hostile_names.py": (2, "catastrophic patterns would take minutes"),
    "integration/test_s3_uploads.py": (1, "an abort must not wait for the part under way"),
    "unit/test_labels.py": (1, "a quadratic algorithm would take minutes"),
}
#: Functions whose value is a moment.
CLOCKS = ("time.monotonic", "time.perf_counter", "time.time", "monotonic", "perf_counter")


def names_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def calls_in(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call of a source file, with the last name of what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(path: Path) -> set[str]:
    """The modules that a source file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=names_of)
def test_nothing_imports_a_test_module(path: Path) -> None:
    """Helpers live in `tests/support`, so that a test may be renamed, moved or deleted."""
    tests = {name for name in imported(path) if name.startswith("tests.")}
    assert not [name for name in tests if any(part.startswith("test_") for part in name.split("."))]


def test_no_test_replaces_a_private_name() -> None:
    """Clocks, pauses and bounds are arguments; a private name may change without notice."""
    found = {
        f"{names_of(path)} {arguments[-2].value}"
        for path in MODULES
        for name, call in calls_in(path)
        if name.endswith(".setattr")
        for arguments in [call.args]
        if len(arguments) >= 2
        and isinstance(arguments[-2], ast.Constant)
        and isinstance(arguments[-2].value, str)
        and arguments[-2].value.rpartition(".")[2].startswith("_")
    }
    assert found <= set(PATCHES)


def test_no_test_sleeps() -> None:
    """Waiting for something is `eventually`; sleeping proves nothing on a slow machine."""
    for path in MODULES:
        sleeps = [
            call.lineno
            for name, call in calls_in(path)
            if name in ("time.sleep", "sleep", "asyncio.sleep") and not is_zero(call)
        ]
        most, _ = SLEEPS.get(names_of(path), (0, ""))
        assert len(sleeps) <= most, f"{names_of(path)}: lines {sleeps}"


def is_zero(call: ast.Call) -> bool:
    """Whether a sleep only lets other tasks run."""
    return isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def is_time_limit(node: ast.Compare) -> bool:
    """Whether it compares the difference of two moments with a limit: `monotonic() - began < 5`."""
    values = [node.left, *node.comparators]
    return any(
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.Sub)
        and isinstance(value.left, ast.Call)
        and ast.unparse(value.left.func) in CLOCKS
        and isinstance(operator, ast.Lt | ast.LtE)
        for value, operator in zip(values[:-1], node.ops, strict=True)
    )


def test_no_test_limits_the_time_that_something_takes() -> None:
    """A busy machine is slow. A test names what has to happen before what, or counts."""
    for path in MODULES:
        limits = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Compare) and is_time_limit(node)
        ]
        most, _ = TIME_LIMITS.get(names_of(path), (0, ""))
        assert len(limits) <= most, f"{names_of(path)}: lines {limits}"
