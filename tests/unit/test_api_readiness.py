"""Readiness probes come every few seconds; a check that hangs must not pile up threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from waybill.api.health.readiness import Readiness


def test_a_check_that_hangs_is_told_in_time_and_not_started_again() -> None:
    release = threading.Event()
    started: list[None] = []

    def hang() -> None:
        started.append(None)
        release.wait(30)

    readiness = Readiness({"storage": hang, "fine": lambda: None}, timedelta(milliseconds=50))
    try:
        answers = [readiness.failures() for _ in range(3)]
    finally:
        release.set()
        readiness.close()

    assert answers == [{"storage": "No answer in time."}] * 3
    assert len(started) == 1


def test_a_check_that_works_again_is_ready_again() -> None:
    broken = threading.Event()
    broken.set()

    def check() -> None:
        if broken.is_set():
            raise RuntimeError("still starting")

    readiness = Readiness({"database": check})
    try:
        assert set(readiness.failures()) == {"database"}
        broken.clear()
        assert readiness.failures() == {}
    finally:
        readiness.close()


async def test_r48_probes_are_answered_while_every_thread_is_busy() -> None:
    release = threading.Event()
    loop = asyncio.get_running_loop()
    busy = ThreadPoolExecutor(1)
    loop.set_default_executor(busy)
    # Whatever holds up the threads of requests: a provider, a database.
    hanging = loop.run_in_executor(None, release.wait, 30)
    readiness = Readiness({"fine": lambda: None})
    try:
        answers = await asyncio.gather(*[readiness.ask() for _ in range(20)])
    finally:
        release.set()
        await hanging
        readiness.close()
    assert answers == [{}] * 20


async def test_f102_what_writes_does_so_once_in_five_seconds_however_many_ask() -> None:
    seconds = [100.0]
    written: list[None] = []
    readiness = Readiness({"database": lambda: written.append(None)}, clock=lambda: seconds[0])
    try:
        for expected, later in ((1, 4.9), (1, 0.2), (2, 0.0)):
            await readiness.ask()
            assert len(written) == expected
            seconds[0] += later
    finally:
        readiness.close()
