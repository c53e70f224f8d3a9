"""`make soak`: everything is broken in turn for a quarter of an hour; nothing may be lost.

``SOAK_MINUTES`` and ``SOAK_SEED`` choose how long and in which order, ``SOAK_FAULTS`` which: a
regular expression for their names. Ends with 1 when a task was lost, done twice or failed, or when
the auditor finds anything else. It mounts two file systems that can be filled, so it runs as root
on a machine with loop devices.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import sys
import threading
import time
from collections import Counter

import sqlalchemy as sa

from tests.soak.installation import Installation, open_installation
from tests.soak.nemesis import Nemesis
from tests.soak.processes import supervised
from tests.soak.visitors import Visitors
from tests.support.fault_bench import Bench
from tests.support.ledger import one_snapshot, rewrite
from tests.support.processes import run
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log

#: What is alive when the faults end has so long to end, on a machine that does other work too.
_RECOVERY_SECONDS = 1800
_SAY_EVERY_SECONDS = 300


def main() -> int:
    """Run the soak; 0 when all is well."""
    minutes = float(os.environ.get("SOAK_MINUTES", "15"))
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(1_000_000)))
    say(f"seed {seed}, {minutes:g} minutes (SOAK_SEED and SOAK_MINUTES change them)")
    # Two orders from one seed: how fast people ask must not change what is broken.
    people, evil = (random.Random(f"{seed} {part}") for part in ("people", "evil"))  # noqa: S311
    with open_installation() as installation:
        visitors = Visitors(installation.bench, people)
        nemesis = Nemesis(installation, evil, os.environ.get("SOAK_FAULTS", ""))
        stop_writing = threading.Event()
        with supervised(installation.processes):
            threads = [
                threading.Thread(target=visitors.run, name="visitors"),
                threading.Thread(target=nemesis.run, name="nemesis"),
                threading.Thread(target=rewrite, args=(installation.bench, stop_writing)),
            ]
            for thread in threads:
                thread.start()
            pass_time(minutes, installation, nemesis)
            nemesis.stop()
            visitors.stop()
            stop_writing.set()
            for thread in threads:
                thread.join()
            began = time.monotonic()
            stuck = wait_for_the_end(installation.bench)
            say(f"recovered in {time.monotonic() - began:.0f} s")
        return report(installation, visitors, nemesis, stuck)


def pass_time(minutes: float, installation: Installation, nemesis: Nemesis) -> None:
    """Wait, and say now and then how far it is; no longer than the nemesis goes on."""
    begun = said = time.monotonic()
    while (now := time.monotonic()) < begun + minutes * 60 and not nemesis.is_over:
        if now > said + _SAY_EVERY_SECONDS:
            said = now
            accepted, faults = len(installation.bench.accepted), nemesis.injected.total()
            say(f"{(now - begun) / 60:.0f} min: {accepted} tasks accepted, {faults} faults")
        time.sleep(1)


def wait_for_the_end(bench: Bench) -> int:
    """How many tasks are still alive when time is up."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while (alive := bench.live()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return alive


def report(installation: Installation, visitors: Visitors, nemesis: Nemesis, stuck: int) -> int:
    """Say what happened, and whether it may."""
    bench, restored_away = installation.bench, installation.restored_away
    accepted = set(bench.accepted)
    bench.accepted = sorted(accepted - restored_away)
    rows = {str(row["id"]): row for row in bench.rows()}
    with read_transaction(bench.engine) as connection:
        actions = connection.execute(sa.select(audit_log.c.task_id, audit_log.c.action)).all()
    finished = Counter(task_id for task_id, action in actions if action == "finish")
    poison = (installation.poison - restored_away) & set(rows)
    spared = [rows[task_id]["status"] for task_id in poison if not is_worker_lost(rows[task_id])]
    failed = {
        task_id: row["error_code"]
        for task_id, row in rows.items()
        if row["status"] == "FAILED" and task_id not in poison
    }
    lost = stuck + len(set(bench.accepted) - set(rows))
    doubled = sum(count > 1 for count in finished.values())
    say(f"tasks accepted {len(accepted)}, requests without an answer {visitors.unanswered}")
    say(f"taken back by restored dumps {len(accepted & restored_away)}")
    say(f"ended {dict(Counter(row['status'] for row in rows.values()))}")
    say(f"poison exports {len(poison)}, of them not ended as lost workers {spared}")
    say(f"attempts {sum(action == 'claim' for _, action in actions)}")
    say(f"faults injected {nemesis.injected.total()}")
    for name, count in sorted(nemesis.injected.items()):
        say(f"  {count:4} {name}")
    if restored_away:
        # What a dump did not know of is for an operator to collect, as docs/operations.md says.
        done = run(bench.env, "reconcile", "--fix", "--older-than", "0", seconds=_RECOVERY_SECONDS)
        say(f"reconcile: {(done.stdout or done.stderr).strip()}")
    found, late = audit(bench)
    if late:
        say(f"files that the store returned only when it was asked again: {len(late)}, {late[0]}")
    chain = run(bench.env, "audit-log", "verify", seconds=_RECOVERY_SECONDS)
    say((chain.stdout or chain.stderr).strip())
    for complaint in (found, *nemesis.failures, dict(Counter(failed.values()))):
        if complaint:
            say(str(complaint))
    say(f"lost {lost}, doubled {doubled}, failed {len(failed)}")
    wrong = lost or doubled or failed or spared or found or nemesis.failures or chain.returncode
    if wrong:
        installation.store.keep_log()
        shutil.copy(bench.log, installation.logs)
        say(f"logs are kept in {installation.logs}")
    else:
        shutil.rmtree(installation.logs)
    return 1 if wrong else 0


def audit(bench: Bench) -> tuple[str, list[str]]:
    """What the auditor finds, empty when that is nothing, and files that came late."""
    try:
        late = bench.audit(lambda row, data: one_snapshot(row, data) if is_ledger(row) else None)
    except AssertionError as error:
        return str(error), []
    return "", late


def is_worker_lost(row: sa.RowMapping) -> bool:
    """Whether the task has failed because it took its workers down."""
    return (row["status"], row["error_code"]) == ("FAILED", "worker_lost")


def is_ledger(row: sa.RowMapping) -> bool:
    """Whether every row of the file must be of one version."""
    return row["task_type"] == "ledger"


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
