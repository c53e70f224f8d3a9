"""F101: how one of several API processes ends, with its parent or by it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.eventually import eventually
from waybill.api.cli import api_processes


def stubborn(ready: str) -> None:
    """A process that SIGTERM does not end, and that says when it is one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(ready).touch()
    while True:
        signal.pause()


async def test_f101_the_end_of_the_parent_ends_a_process(monkeypatch):
    # What multiprocessing gives a child: the end of a pipe that closes with the parent.
    sentinel, parents_end = os.pipe()
    parent = SimpleNamespace(sentinel=sentinel)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    stop = asyncio.Event()

    api_processes.stop_with_parent(stop)
    assert not stop.is_set()
    os.close(parents_end)

    async with asyncio.timeout(10):
        await stop.wait()
    os.close(sentinel)


@pytest.mark.slow
async def test_f101_a_process_that_does_not_end_is_killed(tmp_path):
    ready, stop = tmp_path / "ready", asyncio.Event()
    before = set(multiprocessing.active_children())
    running = asyncio.create_task(
        api_processes.keep_running(stubborn, [(str(ready),)], stop, grace=0.2)
    )
    await eventually(ready.exists)
    [process] = set(multiprocessing.active_children()) - before
    try:
        stop.set()
        async with asyncio.timeout(60):
            await running
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
