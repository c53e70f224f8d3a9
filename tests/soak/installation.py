"""Everything the soak breaks: servers of its own, a proxy before each, supervised processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.fault_bench import Bench, open_bench
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.seaweedfs import SeaweedServer
from waybill.storage.server_identity import ServerIdentity


class Supervised:
    """A process of Waybill that is started again whenever it has ended, as systemd would."""

    def __init__(self, name: str, bench: Bench, *arguments: str) -> None:
        self.name = name
        self._bench = bench
        self._arguments = arguments
        self._process = bench.start(*arguments)

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        return self._process.pid

    def keep_alive(self) -> None:
        """Start it again if it is not there."""
        if self._process.poll() is not None:
            self._process = self._bench.start(*self._arguments)

    def kill(self) -> None:
        """`kill -9`; a process that is frozen dies of it too."""
        self._process.kill()

    def end(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End it for good."""
        self.end()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
            raise


class Store:
    """The SeaweedFS of the soak, by its process id."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "s3"

    def kill(self) -> None:
        """`kill -9`."""
        self._signal(signal.SIGKILL)

    def start(self) -> None:
        """Start it again, with its data, where it was."""
        server = SeaweedServer(self._directory)
        # `ensure_running` would choose other ports; links and proxies know these.
        server._start(ServerIdentity.load(self._directory / "server.json"))

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(int((self._directory / "server.pid").read_text()), number)


@dataclass
class Installation:
    """What there is to break."""

    bench: Bench
    broker: RabbitServer
    database: PostgresServer
    store: Store
    #: The way to each server, by its name.
    proxies: dict[str, TcpProxy]
    processes: list[Supervised]


@contextmanager
def open_installation() -> Iterator[Installation]:
    """Start everything, and end it all."""
    with ExitStack() as stack:
        database = PostgresServer(_folder(stack, "postgres"))
        stack.callback(database.stop)
        database.start()
        broker = RabbitServer(_folder(stack, "rabbitmq"))
        stack.callback(broker.close)
        broker.start()
        home = _folder(stack, "home")
        s3 = stack.enter_context(EmbeddedS3(home))
        store_port = urlsplit(s3.endpoint_url).port
        proxies = {
            "database": stack.enter_context(TcpProxy(database.port)),
            "broker": stack.enter_context(TcpProxy(broker.port)),
            "store": stack.enter_context(TcpProxy(store_port)),
        }
        url = stack.enter_context(database.database())
        way = f":{proxies['database'].port}/"
        s3_way = f"http://127.0.0.1:{proxies['store'].port}"
        bench = stack.enter_context(
            open_bench(
                _folder(stack, "bench"),
                url,
                broker.url(port=proxies["broker"].port),
                replace(s3, endpoint_url=s3_way),
                WAYBILL_DATABASE_URL=url.replace(f":{database.port}/", way),
                # No task may fail for want of attempts: then it would hide what else is wrong.
                WAYBILL_MAX_ATTEMPTS="100",
            )
        )
        processes = [
            Supervised("api", bench, "serve", "--port", str(bench.client.base_url.port)),
            Supervised("worker 1", bench, "worker"),
            Supervised("worker 2", bench, "worker"),
        ]
        for process in processes:
            stack.callback(process.close)
        yield Installation(bench, broker, database, Store(home), proxies, processes)


def _folder(stack: ExitStack, name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"waybill-soak-{name}-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
