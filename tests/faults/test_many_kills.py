"""Two hundred live tasks, and a worker that is killed again and again while it works on them."""

from __future__ import annotations

import csv
import io
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tests.support.fault_bench import Bench, kill
from tests.support.processes import wait_for
from waybill.infra.db.tables import export_task, outbox

TASKS = 200
KILLS = 5
#: Change it to see other moments; a failure names it.
SEED = 20261124


def test_two_hundred_tasks_survive_kill_9_at_random_moments(api, clean):
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    with ThreadPoolExecutor(4) as threads:
        tasks = list(threads.map(lambda n: clean.submit("ledger", tag=str(n)), range(TASKS)))
    # A task may have bad luck each time; giving up is another test's matter.
    clean.execute(sa.update(export_task).values(max_attempts=KILLS + 1))
    stop = threading.Event()
    writer = threading.Thread(target=rewrite, args=(clean, stop))
    writer.start()
    try:
        for _ in range(KILLS):
            with clean.worker("--concurrency", "4") as worker:
                before = clean.live()
                wait_for(lambda before=before: clean.live() < before)
                time.sleep(chance.uniform(0, 0.4))
                kill(worker)
        assert clean.live() > 0, "the kills came too late to hurt anybody"
        # What a dead relay had taken is anybody's after 30 s; this is what comes after them.
        clean.execute(sa.update(outbox).values(claimed_until=None))
        with clean.worker("--concurrency", "4"):
            rows = clean.ended(*tasks, seconds=120)
    finally:
        stop.set()
        writer.join()
    assert len({row["id"] for row in rows}) == len({row["object_key"] for row in rows}) == TASKS
    assert {row["status"] for row in rows} == {"SUCCESS"}, f"seed {SEED}"
    clean.audit(one_snapshot)


def rewrite(bench: Bench, stop: threading.Event) -> None:
    """Change every row of the ledger in one commit, over and over."""
    while not stop.wait(0.1):
        # The soak crashes this database as well.
        with suppress(SQLAlchemyError):
            bench.execute(sa.text("UPDATE ledger SET version = version + 1"))


def one_snapshot(row: sa.RowMapping, data: bytes) -> str | None:
    """Every row of one version, and all of them: what the ledger held at one moment."""
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1:]
    ids, versions = [line[0] for line in lines], {line[1] for line in lines}
    if ids != [str(n) for n in range(1, row["rows_source"] + 1)] or len(versions) != 1:
        return f"{len(ids)} rows of {len(versions)} versions"
    return None
