"""Many live tasks, and a worker that is killed again and again while it works on them."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.fault_bench import kill
from tests.support.ledger import one_snapshot, rewrite
from waybill.infra.db.tables import export_task, outbox

TASKS = 80
KILLS = 5
#: Change it to see other moments; a failure names it.
SEED = 20261124


@pytest.mark.timeout(600)
def test_many_tasks_survive_kill_9_at_random_moments(api, clean):
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
            rows = clean.ended(*tasks)
    finally:
        stop.set()
        writer.join()
    assert len({row["id"] for row in rows}) == len({row["object_key"] for row in rows}) == TASKS
    assert {row["status"] for row in rows} == {"SUCCESS"}, f"seed {SEED}"
    clean.audit(one_snapshot)
