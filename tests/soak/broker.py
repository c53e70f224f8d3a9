"""The broker of the soak: three nodes behind one address, which leads to a node that answers."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from tests.support.amqp_probe import publish_bytes
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_cluster import RabbitCluster
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.infra.broker.rabbitmq.topology import Names


class Broker:
    """A cluster. At most one of its nodes is away at a time, so that two of three go on."""

    def __init__(self, folder: Path, way: TcpProxy) -> None:
        self._cluster = RabbitCluster(folder)
        self._way = way
        self._cluster.start()
        self._lead_to(self._cluster.nodes[0])

    @property
    def url(self) -> str:
        """The address of the whole cluster."""
        return self._cluster.nodes[0].url(port=self._way.port)

    def kill_one(self, chance: random.Random) -> None:
        """`kill -9` of a node."""
        self._lose(chance).kill()

    def freeze_one(self, chance: random.Random) -> None:
        """SIGSTOP of a node: its connections stay open, and nothing answers."""
        self._lose(chance).sigstop()

    def stop_all(self) -> None:
        """Stop every node, the last one as an operator would."""
        for node in reversed(self._cluster.nodes):
            node.stop()

    def recover(self) -> None:
        """Start what is down, let what is frozen go on, and wait until every node answers."""
        for node in self._cluster.nodes:
            if node.is_running:
                node.sigcont()
            else:
                node.launch()
        for node in self._cluster.nodes:
            node.wait_until_ready()

    def poison(self, body: bytes, queue: str, names: Names) -> None:
        """Publish what no version of Waybill has written."""
        asyncio.run(publish_bytes(self.url, body, queue, names))

    def close(self) -> None:
        """End every node."""
        self._cluster.close()

    def _lose(self, chance: random.Random) -> RabbitServer:
        """The node that goes now; the address leads to another one, as a balancer sees to."""
        gone = chance.choice(self._cluster.nodes)
        self._lead_to(next(node for node in self._cluster.nodes if node is not gone))
        return gone

    def _lead_to(self, node: RabbitServer) -> None:
        self._way.lead_to(node.port)
