"""A private RabbitMQ cluster: its nodes are processes of this machine, with one cookie and epmd."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import wait_for
from tests.support.servers.ports import free_ports
from tests.support.servers.rabbitmq import Epmd, RabbitServer, new_node_name

#: Partitions as RabbitMQ's handbook advises for three nodes. At its first start a node joins the
#: first one of the list that runs, or none.
_CONFIG = """\
cluster_partition_handling = pause_minority
cluster_formation.discovery_retry_limit = 2
cluster_formation.discovery_retry_interval = 100
"""
#: Seconds after which a node counts a silent one as gone. The default, 60, is long for a test; much
#: less, and a node that gets no processor time on a busy machine counts as gone.
_NET_TICK_SECONDS = 12
#: A node that was killed takes seconds to be back, on a busy machine minutes.
_RECOVERY_SECONDS = 300.0


class RabbitCluster:
    """Some nodes. A test that breaks one calls `recover` at its end."""

    def __init__(self, folder: Path, size: int = 3, *, management: bool = False) -> None:
        """With `management`, each node serves the management API; see `management_url`."""
        self._epmd = Epmd(folder)
        self._management_ports = free_ports(size) if management else []
        names = [new_node_name() for _ in range(size)]
        config = _CONFIG + "".join(
            f"cluster_formation.classic_config.nodes.{number} = {name}\n"
            for number, name in enumerate(names, 1)
        )
        self.nodes: list[RabbitServer] = []
        for number, name in enumerate(names):
            home = folder / f"node{number}"
            home.mkdir()
            self.nodes.append(
                RabbitServer(
                    home,
                    name=name,
                    epmd=self._epmd,
                    config=config + self._management_config(number),
                    plugins=["rabbitmq_management"] if management else [],
                    kernel=f"-kernel net_ticktime {_NET_TICK_SECONDS}",
                )
            )

    def _management_config(self, number: int) -> str:
        if not self._management_ports:
            return ""
        port = self._management_ports[number]
        return f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"

    def start(self) -> None:
        """Run every node, as one cluster."""
        self.start_first()
        self.start_others()

    def start_first(self) -> None:
        """Run the first node alone."""
        self.nodes[0].start()

    def start_others(self) -> None:
        """Run the other nodes, which join the first one."""
        # One after the other: 3.10 may fail to start two that join at the same time.
        for node in self.nodes[1:]:
            node.start()

    def url(self, vhost: str = "/", *, ports: Sequence[int] = ()) -> str:
        """The URL of `vhost` with the address of every node, in their order.

        `ports` are those of proxies that stand before the nodes.
        """
        first = self.nodes[0]
        login, _, path = first.url(vhost).partition(f"127.0.0.1:{first.port}")
        ports = ports or [node.port for node in self.nodes]
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"{login}{addresses}{path}"

    def management_url(self, node: RabbitServer) -> str:
        """Where `node` serves the management API, without a login."""
        return f"http://127.0.0.1:{self._management_ports[self.nodes.index(node)]}"

    def queues(self, vhost: str, *, seen_by: RabbitServer | None = None) -> dict[str, Any]:
        """Every queue: its ``leader``, ``members`` and ``online`` members, by their node names."""
        node = seen_by or self.nodes[0]
        printed = node.rabbitmqctl(
            *("list_queues", "-p", vhost, "--formatter", "json"),
            *("name", "leader", "members", "online"),
        )
        return {queue["name"]: queue for queue in json.loads(printed)}

    def leader(
        self, vhost: str, queue: str, *, seen_by: RabbitServer | None = None
    ) -> RabbitServer:
        """The node that leads `queue`."""
        name = self.queues(vhost, seen_by=seen_by)[queue]["leader"]
        return next(node for node in self.nodes if node.node_name == name)

    def recover(self) -> None:
        """Start what was killed or frozen again, and wait until all are one cluster.

        A node that goes on after the others gave it up may pause itself, and stay so for minutes.
        """
        for node in self.nodes:
            if node.is_frozen:
                node.kill()
            if not node.is_running:
                node.launch()
        for node in self.nodes:
            node.wait_until_ready()
        names = sorted(node.node_name for node in self.nodes)

        def complete() -> bool:
            return all(
                sorted(
                    json.loads(node.rabbitmqctl("cluster_status", "--formatter", "json"))[
                        "running_nodes"
                    ]
                )
                == names
                for node in self.nodes
            )

        wait_for(complete, _RECOVERY_SECONDS)

    def close(self) -> None:
        """End every node and their epmd."""
        for node in self.nodes:
            node.kill()
        self._epmd.close()


@pytest.fixture(scope="session")
def rabbitmq_cluster() -> Iterator[RabbitCluster]:
    """Three nodes for the whole run, with the management API."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-rabbitmq-cluster-"))
    cluster: RabbitCluster | None = None
    try:
        cluster = RabbitCluster(folder, management=True)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()
        shutil.rmtree(folder)
