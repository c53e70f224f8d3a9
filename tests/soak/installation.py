"""Everything the soak breaks: servers of its own, a proxy before each, supervised processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.soak.broker import Broker
from tests.soak.database import Database
from tests.soak.processes import Clock, Supervised, worker_with
from tests.soak.store import Store
from tests.support.fault_bench import Bench, open_bench
from tests.support.processes import run
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.small_disk import SmallDisk, small_disk
from waybill.storage.embedded import EmbeddedS3

#: Long enough for a machine that does other work beside the soak.
LEASE_SECONDS = 10
#: Sparse: what is not written takes no room.
_DISK_BYTES = 12 * 2**30
_BROKER_NODES = ("broker node 1", "broker node 2", "broker node 3")


@dataclass
class Installation:
    """What there is to break."""

    bench: Bench
    broker: Broker
    database: Database
    store: Store
    #: The way to each server, by its name.
    proxies: dict[str, TcpProxy]
    processes: list[Supervised]
    #: The file systems of the servers, by their names.
    disks: dict[str, SmallDisk]
    #: The clock of the second worker.
    clock: Clock
    #: Where logs are kept of what is gone at the end.
    logs: Path
    #: Exports that kill their worker, which have to fail.
    poison: set[str] = field(default_factory=set)
    #: Tasks that a restore of the database took back, which nobody has to find.
    restored_away: set[str] = field(default_factory=set)


@contextmanager
def open_installation() -> Iterator[Installation]:
    """Start everything, and end it all."""
    with ExitStack() as stack:
        disks = {
            name: stack.enter_context(small_disk(_folder(stack, name), _DISK_BYTES))
            for name in ("database", "store")
        }
        # They lead nowhere until their servers are there.
        names = (*_BROKER_NODES, "database", "source")
        ways = {name: stack.enter_context(TcpProxy(0)) for name in names}
        # Ours, which no fault touches.
        own_way = stack.enter_context(TcpProxy(0))
        database = Database(disks["database"].folder, [own_way, ways["database"], ways["source"]])
        stack.callback(database.close)
        broker = Broker(_folder(stack, "rabbitmq"), [ways[name] for name in _BROKER_NODES])
        stack.callback(broker.close)
        home = disks["store"].folder / "home"
        s3 = stack.enter_context(EmbeddedS3(home))
        ways["store"] = stack.enter_context(TcpProxy(urlsplit(s3.endpoint_url).port))
        bench = stack.enter_context(
            open_bench(
                _folder(stack, "bench"),
                database.url(own_way),
                broker.url,
                replace(s3, endpoint_url=f"http://127.0.0.1:{ways['store'].port}"),
                WAYBILL_DATABASE_URL=database.url(ways["database"]),
                WAYBILL_SOURCE_URL=database.url(ways["source"]),
                # No task may fail for want of attempts: then it would hide what else is wrong.
                WAYBILL_MAX_ATTEMPTS="100",
                WAYBILL_LEASE_SECONDS=str(LEASE_SECONDS),
            )
        )
        # Poison may be the first message of all, before a worker has declared its queue.
        declared = run(bench.env, "topology")
        assert declared.returncode == 0, declared.stdout + declared.stderr
        clock = Clock()
        serve = ("serve", "--port", str(bench.client.base_url.port))
        processes = [
            Supervised("api", lambda: bench.start(*serve)),
            Supervised("worker 1", lambda: bench.start("worker")),
            Supervised("worker 2", worker_with(clock, bench)),
        ]
        for process in processes:
            stack.callback(process.close)
        logs = Path(tempfile.mkdtemp(prefix="waybill-soak-logs-"))
        yield Installation(
            bench, broker, database, Store(home, logs), ways, processes, disks, clock, logs
        )


def _folder(stack: ExitStack, name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"waybill-soak-{name}-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
