"""A receiver of webhooks: a real HTTP server that keeps what it got and answers by script."""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.support.servers.loopback import LoopbackServer


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


#: What to do with a request: answer with a status, or take the connection into one's hands.
Answer = int | Callable[["_Handler"], None]


class Receiver:
    """A context manager; inside it the receiver listens on a free loopback port."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        #: Host names asked for in TLS, one for each connection.
        self.names: list[str | None] = []
        self.script: deque[Answer] = deque()
        self.always: Answer = 204
        #: Set at the end; whoever hangs waits for it.
        self.closing = threading.Event()
        self._server = _Server(_Handler, tls, handshake_on_accept=False)
        self._server.receiver = self
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self._server.scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.stop()


class _Server(LoopbackServer):
    daemon_threads = True
    request_queue_size = 64
    receiver: Receiver

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.requests.append(Received(self.path, headers, body))
        answer = receiver.script.popleft() if receiver.script else receiver.always
        if isinstance(answer, int):
            self.reply(answer)
        else:
            answer(self)

    def do_GET(self) -> None:
        self.server.receiver.requests.append(Received(self.path, {}, b""))
        self.reply(200)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def redirect_to(address: str) -> Answer:
    """Send the client elsewhere."""
    return lambda handler: handler.reply(307, Location=address)


def hang(handler: _Handler) -> None:
    """Never answer."""
    handler.server.receiver.closing.wait(30)


def drip(handler: _Handler) -> None:
    """Answer one byte at a time, each of them sooner than any read would time out."""
    for byte in b"HTTP/1.1 204 No Content\r\nX-Slow: " + b"." * 1000:
        handler.wfile.write(bytes([byte]))
        if handler.server.receiver.closing.wait(0.05):
            return


def flood(handler: _Handler) -> None:
    """Answer with a body that has no end."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.receiver.closing.is_set():
        handler.wfile.write(b"x" * 65_536)


def hang_up(handler: _Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
