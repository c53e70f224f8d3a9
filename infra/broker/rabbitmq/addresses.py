"""The addresses of a broker: read from its setting, and tried in an order that learns.

The address that did not answer last is asked last, also when it is one of several behind one name.
A frozen node accepts connections and never answers: asked first each time, it would cost every
process its patience at every try.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from typing import Self
from urllib.parse import unquote

from aio_pika.connection import make_url
from yarl import URL

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.amqp_urls import amqp_urls

#: Both ends close a connection after two or three of these in silence. RabbitMQ's handbook advises
#: 5 to 20 (https://www.rabbitmq.com/docs/heartbeats).
_HEARTBEAT_SECONDS = 10
#: Of one address among several, at first and at most. It doubles with each silence in a row, so
#: that brokers that are all slow are waited for in the end.
_FIRST_PATIENCE_SECONDS, _LONGEST_PATIENCE_SECONDS = 3.0, 10.0
_LOOK_UP_SECONDS = 3.0
_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


class BadBrokerUrl(InvalidRequest):
    """The address of the message broker is not an AMQP URL."""

    code = "bad_broker_url"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """One address of one node: there is no name left to look up."""

    url: URL
    #: The name in the setting, which a certificate has to show.
    server_name: str

    @property
    def shown(self) -> str:
        """Host and port, for people."""
        host, port = self.url.host, self.url.port
        where = f"{self.server_name}:{port}"
        return where if host == self.server_name else f"{where} ({host})"


@dataclass(slots=True)
class _Silence:
    """The last time of an address without an answer, in the order of all, and how many in a row."""

    last: int
    times: int


class BrokerAddresses:
    """Every address of one broker. The parts of a process share one object, and what it learns."""

    def __init__(self, urls: Iterable[URL]) -> None:
        self._urls = tuple(urls)
        self._silent: dict[tuple[str | None, int | None], _Silence] = {}
        self._clock = count(1)
        # Of its own: a resolver that hangs must not take the event loop's threads, which renew
        # leases.
        self._look_ups: ThreadPoolExecutor | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting; a heartbeat in a query is kept, another one is set otherwise.

        Raises:
            BadBrokerUrl: never with the parser's own text, which may quote the password.
        """
        try:
            urls = [_parse(url) for url in amqp_urls(text)]
        except ValueError:
            raise BadBrokerUrl() from None
        if len({unquote(url.raw_path[1:]) or "/" for url in urls}) > 1:
            raise BadBrokerUrl("The addresses of the message broker name different vhosts.")
        return cls(urls)

    async def in_turn(self) -> list[BrokerAddress]:
        """Every address, in the order in which to try them; empty when no name is known."""
        found = await asyncio.gather(*map(self._look_up, self._urls))
        unique = {_place(a.url): a for addresses in found for a in addresses}

        def silent_at(address: BrokerAddress) -> int:
            silence = self._silent.get(_place(address.url))
            return silence.last if silence else 0

        return sorted(unique.values(), key=silent_at)

    def patience_seconds(self, url: URL) -> float:
        """How long to wait for an answer of `url` while there are others to ask."""
        silence = self._silent.get(_place(url))
        times = silence.times if silence else 0
        return min(_FIRST_PATIENCE_SECONDS * (1 << times), _LONGEST_PATIENCE_SECONDS)

    def answered(self, url: URL) -> None:
        """Ask `url` in its turn again."""
        self._silent.pop(_place(url), None)

    def did_not_answer(self, url: URL) -> None:
        """Ask `url` last next time."""
        before = self._silent.get(_place(url))
        self._silent[_place(url)] = _Silence(next(self._clock), before.times + 1 if before else 1)

    async def _look_up(self, url: URL) -> list[BrokerAddress]:
        name = url.host or ""
        if _is_literal(name):
            return [BrokerAddress(url, name)]
        if self._look_ups is None:
            self._look_ups = ThreadPoolExecutor(len(self._urls), thread_name_prefix="waybill-names")
        looking = asyncio.get_running_loop().run_in_executor(
            self._look_ups, _addresses_of, name, url.port
        )
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                hosts = await looking
        except OSError:  # no such name, no name server, no answer (TimeoutError)
            return []
        return [BrokerAddress(url.with_host(host), name) for host in hosts]


def _parse(text: str) -> URL:
    url = make_url(text)
    if not url.host or url.port == 0:
        raise ValueError("has no host, or no port")
    if url.explicit_port is None:
        url = url.with_port(_DEFAULT_PORTS[url.scheme])
    if "heartbeat" in url.query:
        return url
    return url.update_query(heartbeat=_HEARTBEAT_SECONDS)


def _place(url: URL) -> tuple[str | None, int | None]:
    return url.host, url.port


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _addresses_of(name: str, port: int | None) -> list[str]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
