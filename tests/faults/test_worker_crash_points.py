"""`kill -9` of a worker at each of its failpoints (F16 to F21): nothing is lost or doubled."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.fault_bench import died, kill_at


@dataclass(frozen=True)
class Crash:
    """Where a worker dies, what it leaves in the bucket, and the attempts the task needs."""

    attempts: int
    leaves: str
    hit: int = 1
    rows: int = 1000


CRASHES = {
    "w.before_claim": Crash(1, "nothing"),
    "w.after_claim": Crash(2, "nothing"),
    # A file of one part is stored by one request at its end.
    "w.batch": Crash(2, "nothing", hit=3, rows=100_000),
    "w.part": Crash(2, "an open upload", rows=600_000),
    "w.before_complete": Crash(2, "nothing"),
    "w.before_complete of two parts": Crash(2, "an open upload", rows=1_500_000),
    "w.after_complete": Crash(2, "an object"),
    "w.after_success": Crash(1, "an object"),
}


def contents(bench) -> str:
    files = bench.files()
    assert len(files) <= 1
    if not files:
        return "nothing"
    return "an open upload" if files[0].endswith("(open)") else "an object"


@pytest.mark.parametrize("point", CRASHES)
def test_f16_to_f21_a_worker_that_dies_here_loses_nothing(api, clean, point):
    crash = CRASHES[point]
    with clean.worker(**kill_at(point.partition(" ")[0], crash.hit)) as doomed:
        task_id = clean.submit("numbers", rows=crash.rows)
        died(doomed)
    assert contents(clean) == crash.leaves
    with clean.worker():
        (task,) = clean.ended(task_id)
    assert (task["status"], task["attempt"]) == ("SUCCESS", crash.attempts)
    assert task["rows_written"] == crash.rows
    assert clean.actions(task_id).count("finish") == 1
    clean.audit()
