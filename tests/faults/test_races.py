"""Two sides of one row at the same moment: cancel and claim (F30), on both databases."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from tests.support.task_tables import DATABASES, task_tables
from waybill.infra.tasks.lifecycle.requests import TaskRequests

ROUNDS = 200


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with task_tables(request, tmp_path) as engine:
        yield engine


def test_f30_of_a_cancel_and_a_claim_exactly_one_wins(engine):
    requests, runs = TaskRequests(engine), Worker(engine, LEASE)
    chance = random.Random(30)  # noqa: S311 - moments, not secrets
    cancelled_first = 0
    for _ in range(ROUNDS):
        task = requests.submit(ANN, new_task()).task
        claims, barrier = [], threading.Barrier(2)

        def claim(task_id, pause, claims=claims, barrier=barrier):
            barrier.wait()
            time.sleep(pause)
            claims.append(runs.claim(task_id, "w"))

        worker = threading.Thread(target=claim, args=(task.id, chance.uniform(0, 2e-3)))
        worker.start()
        barrier.wait()
        time.sleep(chance.uniform(0, 2e-3))
        answer = requests.cancel(ANN, task.id)
        worker.join()
        won = claims[0]
        if won is None:
            cancelled_first += 1
            assert answer.status == "CANCELLED"
        else:
            assert answer.status == "PROCESSING"
            assert not runs.finish(won, finished("late"))
            runs.fail(won, code="cancelled", message="c", retry_in=None)
        ended = requests.get(ANN, task.id)
        assert (ended.status, ended.attempt) == ("CANCELLED", 0 if won is None else 1)
    assert 0 < cancelled_first < ROUNDS, "the two never met"
