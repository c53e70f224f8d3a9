"""The broker of the soak: three nodes, each behind an address of its own, and one URL for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.amqp_probe import publish_bytes
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_cluster import RabbitCluster
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.infra.broker.rabbitmq.topology import Names

#: A node that goes on after the others gave it up may pause itself for minutes. Then: restart.
_THAW_SECONDS = 60.0


class Broker:
    """A cluster. At most one of its nodes is away at a time, so that two of three go on."""

    def __init__(self, folder: Path, ways: Sequence[TcpProxy]) -> None:
        """With as many nodes as there are `ways` to them."""
        self._cluster = RabbitCluster(folder, size=len(ways))
        self._cluster.start()
        for way, node in zip(ways, self._cluster.nodes, strict=True):
            way.lead_to(node.port)
        #: The address of every node, in turn.
        self.url = self._cluster.url(ports=[way.port for way in ways])

    def kill_one(self, chance: random.Random) -> None:
        """`kill -9` of a node."""
        self._one(chance).kill()

    def freeze_one(self, chance: random.Random) -> None:
        """SIGSTOP of a node: its connections stay open, and nothing answers."""
        self._one(chance).sigstop()

    def stop_all(self) -> None:
        """Stop every node, the last one as an operator would."""
        for node in reversed(self._cluster.nodes):
            node.stop()

    def recover(self) -> None:
        """Start what is down, let what is frozen go on, and wait until every node answers."""
        thawed = [node for node in self._cluster.nodes if node.is_frozen]
        for node in thawed:
            node.sigcont()
        self.start_dead()
        for node in thawed:
            with suppress(RuntimeError):
                # It is killed when it does not answer in time.
                node.wait_until_ready(_THAW_SECONDS)
        self.start_dead()
        for node in self._cluster.nodes:
            node.wait_until_ready()

    def start_dead(self) -> None:
        """Start every node whose process has ended, for any reason, and do not wait."""
        for node in self._cluster.nodes:
            if not node.is_running:
                node.launch()

    def poison(self, body: bytes, queue: str, names: Names) -> None:
        """Publish what no version of Waybill has written, to a node that answers."""
        alive = next(node for node in self._cluster.nodes if node.answers())
        asyncio.run(publish_bytes(alive.url(), body, queue, names))

    def close(self) -> None:
        """End every node."""
        self._cluster.close()

    def _one(self, chance: random.Random) -> RabbitServer:
        return chance.choice(self._cluster.nodes)
