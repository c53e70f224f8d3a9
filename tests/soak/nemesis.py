"""The nemesis: breaks one thing after another, in an order that its seed decides, and mends it."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from tests.soak.installation import Installation, Supervised
from tests.support.fault_bench import LEASE
from tests.support.servers.tcp_proxy import TcpProxy

#: Between two faults, so that some work is done and some recovery is seen.
_PAUSE_SECONDS = (1.0, 4.0)
#: A network or a server is broken for so long: below and above a lease.
_BROKEN_SECONDS = (0.5, 3 * LEASE.total_seconds())

Fault = Callable[[], None]


class Nemesis:
    """Injects faults until it is told to stop, and leaves nothing broken behind."""

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        self.injected: Counter[str] = Counter()
        self._chance = chance
        self._stop = threading.Event()
        self._faults = dict(self._all(installation))

    def run(self) -> None:
        """Break and mend, in a thread of its own."""
        while not self._stop.wait(self._chance.uniform(*_PAUSE_SECONDS)):
            name = self._chance.choice(sorted(self._faults))
            self.injected[name] += 1
            self._faults[name]()

    def stop(self) -> None:
        """Mend what is broken, and break nothing more."""
        self._stop.set()

    def _all(self, installation: Installation) -> Iterator[tuple[str, Fault]]:
        for process in installation.processes:
            yield f"{process.name} killed", process.kill
            yield f"{process.name} ended", process.end
            yield f"{process.name} frozen", partial(self._frozen, process)
        broker, database, store = installation.broker, installation.database, installation.store
        yield "broker killed", partial(self._down, broker.kill, broker.start)
        yield "broker restarted", partial(self._down, broker.stop, broker.start)
        yield "broker frozen", partial(self._down, broker.sigstop, broker.sigcont)
        yield (
            "database crashed",
            partial(self._down, partial(database.stop, immediate=True), database.start),
        )
        yield "store killed", partial(self._down, store.kill, store.start)
        yield "store frozen", partial(self._down, store.freeze, store.thaw)
        for name, proxy in installation.proxies.items():
            for fault in (TcpProxy.reset, TcpProxy.blackhole, TcpProxy.refuse, _slow, _cut):
                what = f"{name} link {fault.__name__.strip('_')}"
                yield what, partial(self._down, partial(fault, proxy), proxy.heal)

    def _down(self, break_it: Fault, mend: Fault) -> None:
        with _mended_by(mend):
            break_it()
            self._stop.wait(self._chance.uniform(*_BROKEN_SECONDS))

    def _frozen(self, process: Supervised) -> None:
        pid = process.pid
        with _mended_by(partial(_signal, pid, signal.SIGCONT)):
            _signal(pid, signal.SIGSTOP)
            self._stop.wait(self._chance.uniform(*_BROKEN_SECONDS))


@contextmanager
def _mended_by(mend: Fault) -> Iterator[None]:
    try:
        yield
    finally:
        mend()


def _signal(pid: int, number: signal.Signals) -> None:
    # It may have died of the fault before, and not be back yet.
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _slow(proxy: TcpProxy) -> None:
    proxy.delay(0.3)


def _cut(proxy: TcpProxy) -> None:
    proxy.cut_after(50_000)
