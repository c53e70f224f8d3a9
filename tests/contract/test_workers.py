"""Heartbeats of workers on both databases: who lives, and which queue nobody takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.engine import Engine

from tests.support.living_worker import heartbeat, silence
from tests.support.task_store import ANN, LEASE, Worker, new_task
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.workers import ALIVE_FOR, QueueWorkers, Workers


def test_a_heartbeat_is_renewed_and_its_start_stays(engine: Engine) -> None:
    workers = Workers(engine)
    workers.beat(heartbeat("a"))
    [first] = workers.all()
    workers.beat(replace(heartbeat("a"), running=1, waiting_for="storage"))
    [again] = workers.all()

    assert (first.alive, first.running, first.waiting_for) == (True, 0, None)
    assert (again.started_at, again.running, again.waiting_for) == (
        first.started_at, 1, "storage"
    )  # fmt: skip
    assert again.seen_at >= first.seen_at
    assert list(again.queues) == ["orders"]


def test_a_worker_that_is_silent_for_too_long_counts_for_no_queue(engine: Engine) -> None:
    workers = Workers(engine)
    for name in ("a", "b"):
        workers.beat(heartbeat(name))
    assert workers.strength("orders") == (2, 4)
    assert workers.strength("other") == (0, 0)

    silence(engine, "a", ALIVE_FOR + timedelta(seconds=1))
    silence(engine, "b", ALIVE_FOR - timedelta(seconds=10))

    assert [(item.name, item.alive) for item in workers.all()] == [("b", True), ("a", False)]
    assert workers.strength("orders") == (1, 2)


def test_living_workers_come_first_and_then_those_that_died_last(engine: Engine) -> None:
    workers = Workers(engine)
    for name in ("a", "b", "c", "d", "e"):
        workers.beat(heartbeat(name))
    silence(engine, "a", timedelta(hours=2))
    silence(engine, "b", timedelta(hours=1))
    silence(engine, "d", timedelta(hours=3))

    assert [item.name for item in workers.all()] == ["c", "e", "b", "a", "d"]


def test_memory_may_leave_a_worker_fewer_slots_than_its_queues(engine: Engine) -> None:
    workers = Workers(engine)
    workers.beat(replace(heartbeat("a", ("orders", "users")), concurrency=4, exports_at_once=3))
    assert workers.strength("users") == (1, 3)


def test_what_waits_in_a_queue_that_nobody_takes_is_counted(engine: Engine) -> None:
    workers, requests = Workers(engine), TaskRequests(engine)
    first = requests.submit(ANN, new_task()).task
    requests.submit(ANN, new_task(params={"n": 2}))
    running = requests.submit(ANN, new_task(params={"n": 3})).task
    Worker(engine, LEASE).claim(running.id, "w")

    [orders, users] = workers.by_queue(["orders", "users"])

    assert orders == QueueWorkers("orders", 0, 0, 2, first.created_at)
    assert users == QueueWorkers("users", 0, 0, 0, None)


def test_a_worker_that_ends_is_forgotten_and_one_that_died_a_day_later(engine: Engine) -> None:
    workers = Workers(engine)
    for name in ("ended", "died", "lost"):
        workers.beat(heartbeat(name))
    workers.leave("ended")
    workers.leave("never there")
    silence(engine, "died", timedelta(days=1, minutes=1))
    silence(engine, "lost", timedelta(hours=23))

    assert Pruning(engine).prune_workers() == 1

    assert [item.name for item in workers.all()] == ["lost"]
