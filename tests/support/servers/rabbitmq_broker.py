"""The RabbitMQ of the tests: one node, or with ``TEST_RABBITMQ_NODES=3`` a cluster of three.

What a test does to the server, to stop, kill or freeze it, a cluster does to the node that leads
most queues of the last vhost. The others go on, and lead those queues from then on.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_cluster import RabbitCluster


class ClusteredServer:
    """A cluster with the methods of a `RabbitServer`: each reaches the node that it concerns."""

    def __init__(self, cluster: RabbitCluster) -> None:
        self._cluster = cluster
        #: The one that was broken last.
        self._broken: RabbitServer | None = None
        self._is_wiped = False
        self._vhost = "/"

    @property
    def port(self) -> int:
        """Where proxies lead: to the first node, whose address is also the first of `url`."""
        return self._cluster.nodes[0].port

    def url(self, vhost: str = "/", *, port: int | None = None) -> str:
        """The addresses of every node; with `port`, that of the proxy alone."""
        return self._cluster.url(vhost) if port is None else self._any().url(vhost, port=port)

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """The name of an empty vhost; the cluster is whole at first."""
        self._recover()
        with self._cluster.nodes[0].vhost() as name:
            before, self._vhost = self._vhost, name
            yield name
            self._vhost = before
            self._recover()

    def set_rights(self, vhost: str, **patterns: str) -> None:
        """Let the user do just this, on every node."""
        self._any().set_rights(vhost, **patterns)

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run one command against a node that runs."""
        return self._any().rabbitmqctl(*arguments)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """As on one server, on all nodes."""
        with ExitStack() as stack:
            for node in self._cluster.nodes:
                stack.enter_context(node.impatient())
            yield

    def stop(self) -> None:
        """End the leader's node as an operator would."""
        self._break().stop()

    def kill(self) -> None:
        """SIGKILL to the leader's node."""
        self._break().kill()

    def sigstop(self) -> None:
        """Freeze the leader's node."""
        self._break().sigstop()

    def sigcont(self) -> None:
        """Let it go on."""
        if self._broken is not None:
            self._broken.sigcont()

    def wipe(self) -> None:
        """End every node, and delete the data of all."""
        for node in self._cluster.nodes:
            node.kill()
            node.wipe()
        self._is_wiped = True

    def start(self) -> None:
        """Run the node again that was broken, and do not wait for it: the others are there.

        After `wipe`, run all of them, and wait.
        """
        if self._is_wiped:
            self._cluster.start()
            self._is_wiped = False
        elif self._broken is not None:
            self._broken.launch()

    def _any(self) -> RabbitServer:
        return next(
            node for node in self._cluster.nodes if node is not self._broken and node.is_running
        )

    def _break(self) -> RabbitServer:
        queues = self._any().rabbitmqctl(
            *("list_queues", "-p", self._vhost, "--formatter", "json", "leader")
        )
        led = Counter(queue["leader"] for queue in json.loads(queues))
        self._broken = max(self._cluster.nodes, key=lambda node: led[node.node_name])
        return self._broken

    def _recover(self) -> None:
        if self._broken is not None:
            self._cluster.recover()
            self._broken = None


@pytest.fixture(scope="session")
def rabbitmq_server(request: pytest.FixtureRequest) -> Iterator[RabbitServer | ClusteredServer]:
    """A broker for the whole run. A test that stops it has to start it again."""
    if int(os.environ.get("TEST_RABBITMQ_NODES", "1")) > 1:
        yield ClusteredServer(request.getfixturevalue("rabbitmq_cluster"))
        return
    folder = Path(tempfile.mkdtemp(prefix="waybill-rabbitmq-"))
    server: RabbitServer | None = None
    try:
        server = RabbitServer(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.close()
        shutil.rmtree(folder)


@pytest.fixture
def rabbitmq_vhost(rabbitmq_server: RabbitServer | ClusteredServer) -> Iterator[str]:
    """The name of an empty vhost of its own."""
    with rabbitmq_server.vhost() as name:
        yield name


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitServer | ClusteredServer, rabbitmq_vhost: str) -> str:
    """The URL of an empty vhost of its own."""
    return rabbitmq_server.url(rabbitmq_vhost)
