"""Threads of large exports yield processors; threads beside them do not."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from waybill.infra.worker.thread_priority import yield_to_others


def own_niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_a_thread_and_those_that_it_starts_yield_and_no_other():
    def large_export() -> tuple[int, int]:
        yield_to_others()
        with ThreadPoolExecutor(1) as render:
            return own_niceness(), render.submit(own_niceness).result()

    before = own_niceness()
    with ThreadPoolExecutor(1) as large:
        lowered = min(before + 5, 19)
        assert large.submit(large_export).result() == (lowered, lowered)
    assert own_niceness() == before
    with ThreadPoolExecutor(1) as small:
        assert small.submit(own_niceness).result() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_a_thread_that_yields_twice_yields_once():
    def often() -> int:
        for _ in range(10):
            yield_to_others()
        return own_niceness()

    with ThreadPoolExecutor(1) as large:
        assert large.submit(often).result() == min(own_niceness() + 5, 19)
