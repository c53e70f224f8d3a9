"""A host's own signal handlers stay, and open streams hear of the end before them."""

from __future__ import annotations

import asyncio
import signal

from waybill.api.background import stopped_by_signals


async def test_a_signal_sets_the_event_and_reaches_the_hosts_handler() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        mine = signal.getsignal(signal.SIGTERM)
        stop, other = asyncio.Event(), asyncio.Event()
        # Twice, as two mounts in one process do.
        with stopped_by_signals(stop), stopped_by_signals(other):
            signal.raise_signal(signal.SIGTERM)
            await stop.wait()
            await other.wait()
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_outside_of_the_main_thread_nothing_is_changed() -> None:
    handler = signal.getsignal(signal.SIGTERM)

    def enter() -> bool:
        async def inside() -> bool:
            with stopped_by_signals(asyncio.Event()):
                return signal.getsignal(signal.SIGTERM) is handler

        return asyncio.run(inside())

    assert await asyncio.to_thread(enter)
