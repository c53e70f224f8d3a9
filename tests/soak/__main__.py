"""`make soak`: everything is broken in turn for a quarter of an hour; nothing may be lost.

``SOAK_MINUTES`` and ``SOAK_SEED`` choose how long and in which order. Ends with 1 when a task
was lost, done twice or failed, or when the auditor finds anything else.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tests.soak.installation import Installation, open_installation
from tests.soak.nemesis import Nemesis
from tests.soak.visitors import Visitors
from tests.support.fault_bench import Bench
from tests.support.ledger import one_snapshot, rewrite
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log

#: What is alive when the faults end has so long to end.
_RECOVERY_SECONDS = 240


def main() -> int:
    """Run the soak; 0 when all is well."""
    minutes = float(os.environ.get("SOAK_MINUTES", "15"))
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(1_000_000)))
    say(f"seed {seed}, {minutes:g} minutes (SOAK_SEED and SOAK_MINUTES change them)")
    # Two orders from one seed: how fast people ask must not change what is broken.
    people, evil = (random.Random(f"{seed} {part}") for part in ("people", "evil"))  # noqa: S311
    with open_installation() as installation:
        visitors = Visitors(installation.bench, people)
        nemesis = Nemesis(installation, evil)
        stop_writing = threading.Event()
        with supervised(installation):
            threads = [
                threading.Thread(target=visitors.run, name="visitors"),
                threading.Thread(target=nemesis.run, name="nemesis"),
                threading.Thread(target=rewrite, args=(installation.bench, stop_writing)),
            ]
            for thread in threads:
                thread.start()
            time.sleep(minutes * 60)
            nemesis.stop()
            visitors.stop()
            stop_writing.set()
            for thread in threads:
                thread.join()
            began = time.monotonic()
            stuck = wait_for_the_end(installation.bench)
            say(f"recovered in {time.monotonic() - began:.0f} s")
        return report(installation.bench, visitors, nemesis, stuck)


@contextmanager
def supervised(installation: Installation) -> Iterator[None]:
    """Restart whatever process dies, for as long as the context is open."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for process in installation.processes:
                process.keep_alive()

    watcher = threading.Thread(target=watch, name="supervisor")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def wait_for_the_end(bench: Bench) -> int:
    """How many tasks are still alive when time is up."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while (alive := bench.live()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return alive


def report(bench: Bench, visitors: Visitors, nemesis: Nemesis, stuck: int) -> int:
    """Say what happened, and whether it may."""
    accepted = list(bench.accepted)
    rows = {str(row["id"]): row for row in bench.rows()}
    with read_transaction(bench.engine) as connection:
        actions = connection.execute(sa.select(audit_log.c.task_id, audit_log.c.action)).all()
    finished = Counter(task_id for task_id, action in actions if action == "finish")
    statuses = Counter(row["status"] for row in rows.values())
    codes = Counter(row["error_code"] for row in rows.values() if row["status"] == "FAILED")
    lost = stuck + len(set(accepted) - set(rows))
    doubled = sum(count > 1 for count in finished.values())
    say(f"tasks accepted {len(set(accepted))}, requests without an answer {visitors.unanswered}")
    say(f"ended {dict(statuses)} {dict(codes) or ''}")
    say(f"attempts {sum(action == 'claim' for _, action in actions)}")
    say(f"faults injected {nemesis.injected.total()}")
    for name, count in sorted(nemesis.injected.items()):
        say(f"  {count:4} {name}")
    found = None
    try:
        bench.audit(lambda row, data: one_snapshot(row, data) if is_ledger(row) else None)
    except AssertionError as error:
        found = str(error)
        say(found)
    say(f"lost {lost}, doubled {doubled}, failed {codes.total()}")
    return 1 if lost or doubled or codes or found else 0


def is_ledger(row: sa.RowMapping) -> bool:
    """Whether every row of the file must be of one version."""
    return row["task_type"] == "ledger"


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
