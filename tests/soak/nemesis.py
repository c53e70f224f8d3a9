"""The nemesis: breaks one thing after another, in an order that its seed decides, and mends it."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import httpx2
import sqlalchemy as sa

from tests.soak.installation import LEASE_SECONDS, Installation
from tests.soak.processes import Supervised
from tests.support.processes import run
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.infra.broker.rabbitmq.topology import Names
from waybill.infra.db.installation import installation_id
from waybill.infra.db.tables import export_task

#: Between two faults, so that some work is done and some recovery is seen.
_PAUSE_SECONDS = (1.0, 4.0)
#: A network or a server is broken for so long: below and above a lease.
_BROKEN_SECONDS = (0.5, 1.5 * LEASE_SECONDS)
#: Longer than every retry of a single attempt.
_LONG_SECONDS = (15.0, 40.0)
#: Between a dump and its restore.
_SINCE_DUMP_SECONDS = (5.0, 20.0)
#: Mending is tried for so long: a server may need a while to start on a busy machine.
_MEND_SECONDS = 300
_MOST_FAILURES = 3
#: Of a task that kills its worker: enough to see it tried again.
_POISON_ATTEMPTS = 3

Fault = Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """A fault, and how often it is in the deck."""

    inject: Fault
    count: int = 2


class Nemesis:
    """Injects faults until it is told to stop, and leaves nothing broken behind."""

    def __init__(self, installation: Installation, chance: random.Random, only: str = "") -> None:
        """`only` is a regular expression for names of faults."""
        self.injected: Counter[str] = Counter()
        #: What could not be broken or mended: faults of the soak, of which a few end it.
        self.failures: list[str] = []
        self._installation = installation
        self._chance = chance
        self._stop = threading.Event()
        self._kinds = {
            name: kind for name, kind in self._all(installation) if re.search(only, name)
        }

    def run(self) -> None:
        """Break and mend, in a thread of its own."""
        deck: list[str] = []
        while not self.is_over and not self._stop.wait(self._chance.uniform(*_PAUSE_SECONDS)):
            deck = deck or self._shuffled()
            name = deck.pop()
            self.injected[name] += 1
            # A node that could not be mended in time must not be down for the rest of the soak.
            self._installation.broker.start_dead()
            try:
                self._kinds[name].inject()
            except Exception:
                self.failures.append(f"{name}\n{traceback.format_exc()}")

    @property
    def is_over(self) -> bool:
        """Whether it has given up."""
        return len(self.failures) > _MOST_FAILURES

    def stop(self) -> None:
        """Mend what is broken, and break nothing more."""
        self._stop.set()

    def _shuffled(self) -> list[str]:
        """Every fault, some several times: in half an hour each has had its turn."""
        counts = {name: kind.count for name, kind in self._kinds.items()}
        deck = list(Counter(counts).elements())
        self._chance.shuffle(deck)
        return deck

    def _all(self, installation: Installation) -> Iterator[tuple[str, Kind]]:
        yield from self._of_processes(installation)
        yield from self._of_servers(installation)
        yield from self._of_networks(installation)

    def _of_processes(self, installation: Installation) -> Iterator[tuple[str, Kind]]:
        for process in installation.processes:
            yield f"{process.name} killed", Kind(process.kill)
            yield f"{process.name} ended", Kind(process.end)
            yield f"{process.name} frozen", Kind(partial(self._frozen, process))
        clock, worker = installation.clock, installation.processes[-1]
        for offset in ("+20m", "-1h"):
            wrong = partial(_in_turn, partial(clock.shift, offset), worker.kill)
            right = partial(_in_turn, clock.set_right, worker.kill)
            yield f"worker 2 starts with a clock of {offset}", Kind(self._long(wrong, right))
        yield "poison export", Kind(self._poison_export)
        yield "poison message", Kind(self._poison_message)

    def _of_servers(self, installation: Installation) -> Iterator[tuple[str, Kind]]:
        broker, database, store = installation.broker, installation.database, installation.store
        chance = self._chance
        for name, broken in (("killed", broker.kill_one), ("frozen", broker.freeze_one)):
            lose = partial(broken, chance)
            yield f"broker node {name}", Kind(self._short(lose, broker.recover), 4)
        yield "broker stopped", Kind(self._short(broker.stop_all, broker.recover), 1)
        yield "database crashed", Kind(self._short(database.crash, database.start))
        yield "database failed over", Kind(database.fail_over, 4)
        yield "standby killed", Kind(self._short(database.lose_standby, database.start))
        yield "database restored from a dump", Kind(self._restored)
        yield "store killed", Kind(self._short(store.kill, store.start))
        yield "store frozen", Kind(self._short(store.freeze, store.thaw))
        for name, server in (("database", database.start), ("store", store.restart)):
            disk = installation.disks[name]
            full = self._short(disk.fill, partial(_in_turn, disk.empty, server))
            yield f"disk of the {name} full", Kind(full)

    def _of_networks(self, installation: Installation) -> Iterator[tuple[str, Kind]]:
        for name, proxy in installation.proxies.items():
            for fault in (TcpProxy.reset, TcpProxy.blackhole, TcpProxy.refuse, _slow, _cut):
                what = f"{name} link {fault.__name__.strip('_')}"
                yield what, Kind(self._short(partial(fault, proxy), proxy.heal), 1)
        for name in ("store", "source"):
            proxy = installation.proxies[name]
            yield f"{name} away for long", Kind(self._long(proxy.refuse, proxy.heal))

    def _short(self, break_it: Fault, mend: Fault) -> Fault:
        return partial(self._down, break_it, mend, _BROKEN_SECONDS)

    def _long(self, break_it: Fault, mend: Fault) -> Fault:
        return partial(self._down, break_it, mend, _LONG_SECONDS)

    def _down(self, break_it: Fault, mend: Fault, seconds: tuple[float, float]) -> None:
        with _mended_by(mend):
            break_it()
            self._stop.wait(self._chance.uniform(*seconds))

    def _frozen(self, process: Supervised) -> None:
        pid = process.pid
        with _mended_by(partial(_signal, pid, signal.SIGCONT)):
            _signal(pid, signal.SIGSTOP)
            self._stop.wait(self._chance.uniform(*_BROKEN_SECONDS))

    def _poison_export(self) -> None:
        """Ask for an export that kills each worker that begins it."""
        bench = self._installation.bench
        tag = str(self._chance.random())
        # The API may be restarting; then it is not asked again.
        with suppress(httpx2.TransportError, AssertionError):
            task_id = bench.submit("deadly", tag=tag, key=tag)
            self._installation.poison.add(task_id)
            few = sa.update(export_task).where(export_task.c.id == sa.cast(task_id, sa.Uuid))
            bench.execute(few.values(max_attempts=_POISON_ATTEMPTS))

    def _poison_message(self) -> None:
        body = self._chance.randbytes(self._chance.randrange(2_000))
        names = Names(installation_id(self._installation.bench.engine))
        self._installation.broker.poison(body, "quick", names)

    def _restored(self) -> None:
        """Restore a dump as docs/operations.md says: nothing runs, and `reconcile` comes after."""
        installation = self._installation
        bench, database = installation.bench, installation.database
        with database.dumped() as dump:
            self._stop.wait(self._chance.uniform(*_SINCE_DUMP_SECONDS))
            for process in installation.processes:
                process.hold()
            try:
                database.restore(dump)
                done = run(
                    bench.env, "reconcile", "--fix", "--older-than", "0", seconds=_MEND_SECONDS
                )
                assert done.returncode == 0, done.stdout + done.stderr
                there = {str(row["id"]) for row in bench.rows()}
                gone = set(bench.accepted) - there
                installation.restored_away |= gone
            finally:
                for process in installation.processes:
                    process.release()


@contextmanager
def _mended_by(mend: Fault) -> Iterator[None]:
    try:
        yield
    finally:
        deadline = time.monotonic() + _MEND_SECONDS
        while True:
            try:
                mend()
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


def _in_turn(*steps: Fault) -> None:
    for step in steps:
        step()


def _signal(pid: int, number: signal.Signals) -> None:
    # It may have died of the fault before, and not be back yet.
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _slow(proxy: TcpProxy) -> None:
    proxy.delay(0.3)


def _cut(proxy: TcpProxy) -> None:
    proxy.cut_after(50_000)
