"""Several API processes on one listening socket, started, replaced and ended by their parent.

uvicorn's own supervisor starts its `Server` class only and ends children that it did not hear from;
ours have a relay beside the server, and streams that have to be ended before it.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from typing import Any

from waybill.timing import backoff

log = logging.getLogger(__name__)

#: Not forked: threads and locks of libraries do not survive a fork.
_context = multiprocessing.get_context("spawn")
#: A child takes five seconds for open answers, and a moment for its relay and its connections.
_GRACE_SECONDS = 15.0
#: A child that has lived for so long was not broken from the start.
_STABLE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0


async def keep_running(
    target: Callable[..., None],
    arguments: Sequence[tuple[Any, ...]],
    stop: asyncio.Event,
    *,
    grace: float = _GRACE_SECONDS,
) -> None:
    """Run `target` in a process for each of `arguments` until `stop` is set, and then end them.

    One that dies is replaced. At the end each gets SIGTERM, and SIGKILL after `grace` seconds.
    """
    async with asyncio.TaskGroup() as places:
        for number, each in enumerate(arguments):
            places.create_task(_keep_one(target, each, f"api-{number}", stop, grace))


async def _keep_one(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    name: str,
    stop: asyncio.Event,
    grace: float,
) -> None:
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        process = _context.Process(target=target, args=arguments, name=name)
        process.start()
        ended = _end_of(process)
        await _first_of(ended.wait(), stop.wait())
        if stop.is_set():
            await _end(process, ended, grace)
            return
        process.join()
        log.warning(
            "API process ended; starting another one",
            extra={"pid": process.pid, "exit_code": process.exitcode},
        )
        failures = 0 if time.monotonic() - began > _STABLE_SECONDS else failures + 1
        if failures > 1:
            pause = backoff(failures - 1, first=0.5, longest=_LONGEST_PAUSE_SECONDS, jitter=0.0)
            await _first_of(asyncio.sleep(pause), stop.wait())


def _end_of(process: SpawnProcess) -> asyncio.Event:
    """An event that is set when `process` has ended."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def note() -> None:
        loop.remove_reader(process.sentinel)
        ended.set()

    loop.add_reader(process.sentinel, note)
    return ended


async def _end(process: SpawnProcess, ended: asyncio.Event, grace: float) -> None:
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await ended.wait()
    if not ended.is_set():
        log.error("API process does not end", extra={"pid": process.pid})
        process.kill()
        await ended.wait()
    process.join()


async def _first_of(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when the process that started this one has ended, killed or not."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop, sentinel = asyncio.get_running_loop(), parent.sentinel

    def orphaned() -> None:
        loop.remove_reader(sentinel)
        stop.set()

    loop.add_reader(sentinel, orphaned)
