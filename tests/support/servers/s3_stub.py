"""A small, strict S3 that fails on request: a script says which answers go wrong, and how.

Signatures are looked at, not verified: SeaweedFS does that in the tests beside these.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from tests.support.servers.loopback import LoopbackServer
from tests.support.servers.s3_stub_bucket import ACCESS_KEY, Answer, Refused, Request, StrictBucket
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

BUCKET = "stub-bucket"
SECRET_KEY = "stub-canary-secret"


class S3Stub:
    """A context manager; inside it the stub listens on a free loopback port."""

    def __init__(
        self, *, clock_ahead: timedelta = timedelta(0), tls: ssl.SSLContext | None = None
    ) -> None:
        self.bucket = StrictBucket()
        self.requests: list[Request] = []
        self.clock_ahead = clock_ahead
        self.released = threading.Event()
        self._script: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._server = _Server(Exchange, tls)
        self._server.stub = self

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.stop()

    def script(self, operation: str, *faults: Fault) -> None:
        """Let the next requests of that operation go wrong, one fault each."""
        self._script[operation].extend(faults)

    def script_always(self, operation: str, fault: Fault) -> None:
        """Let every request of that operation go wrong."""
        self._always[operation] = fault

    def fault_for(self, operation: str) -> Fault:
        """What to do with the next request of that operation."""
        queue = self._script[operation]
        return queue.popleft() if queue else self._always.get(operation, no_fault)

    def seen(self, operation: str) -> list[Request]:
        """The requests of that operation, in the order they came in."""
        return [request for request in self.requests if request.operation == operation]

    def config(self, **settings: object) -> S3Config:
        """How to reach it, with little patience."""
        defaults = {"read_timeout_seconds": 1.0, "connect_timeout_seconds": 2.0, "attempts": 3}
        return S3Config(
            bucket=BUCKET,
            endpoint_url=self._server.url,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            **{**defaults, **settings},
        )


@pytest.fixture
def stub() -> Iterator[S3Stub]:
    """A stub without a script."""
    with S3Stub() as running:
        yield running


@pytest.fixture
def stub_store(stub: S3Stub) -> Iterator[S3Store]:
    """An object store on the stub."""
    store = S3Store(stub.config())
    yield store
    store.close()


class _Server(LoopbackServer):
    stub: S3Stub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gives up is part of most scripts."""


class Exchange(BaseHTTPRequestHandler):
    """One connection: each request on it is answered, or worse."""

    protocol_version = "HTTP/1.1"
    server: _Server
    request_seen: Request

    def handle_one_request(self) -> None:
        self._body: bytes | None = None
        super().handle_one_request()

    def answer(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        _, _, key = unquote(url.path).lstrip("/").partition("/")
        operation = _operation(self.command, key, query)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_seen = Request(operation, key, query, headers)
        self.server.stub.requests.append(self.request_seen)
        self.server.stub.fault_for(operation)(self)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def body(self) -> bytes:
        """The request's body, read when first asked for."""
        if self._body is None:
            self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self._body

    def work(self, body: bytes | None = None) -> Answer:
        """Do what was asked, with another body if one is given."""
        try:
            return self.server.stub.bucket.perform(
                self.request_seen, self.body() if body is None else body
            )
        except Refused as refused:
            return Answer(refused.status, _error_xml(refused.code))

    def reply(self, answer: Answer) -> None:
        self.body()
        self.send_response_only(answer.status)
        now = datetime.now(UTC) + self.server.stub.clock_ahead
        headers = {"Date": format_datetime(now, usegmt=True), **answer.headers}
        headers.setdefault("Content-Length", str(len(answer.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests look at `S3Stub.requests`."""


#: Takes the place of an answer.
Fault = Callable[[Exchange], None]


def no_fault(exchange: Exchange) -> None:
    """Do the work, and say so."""
    exchange.reply(exchange.work())


def error(status: int, code: str, **headers: str) -> Fault:
    """Refuse without doing anything."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.reply(Answer(status, _error_xml(code), names))


def error_in_200(exchange: Exchange) -> None:
    """Do nothing, say 200 first and fail then, as S3 may on Complete."""
    exchange.reply(Answer(200, _error_xml("InternalError")))


def truncated_answer(exchange: Exchange) -> None:
    """Do the work, and send half of the XML that says so."""
    body = exchange.work().body
    exchange.reply(Answer(200, body[: len(body) // 2]))


def lost_answer(exchange: Exchange) -> None:
    """Do the work, and cut the connection instead of saying so."""
    exchange.work()
    exchange.reset()


def reset_in_mid_body(exchange: Exchange) -> None:
    """Cut the connection when a megabyte has arrived."""
    exchange.rfile.read(1 << 20)
    exchange.reset()


def stall(exchange: Exchange) -> None:
    """Take the request and never answer."""
    exchange.body()
    exchange.server.stub.released.wait(30)
    exchange.reset()


def flipped_bit(exchange: Exchange) -> None:
    """Do the work with a body that changed on the way."""
    body = exchange.body()
    exchange.reply(exchange.work(bytes([body[0] ^ 1]) + body[1:]))


def _operation(method: str, key: str, query: dict[str, str]) -> str:
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if method == "PUT" and "partNumber" in query:
        return "UploadPart"
    if method == "PUT" and key:
        return "PutObject"
    if method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    if method == "HEAD":
        return "HeadObject" if key else "HeadBucket"
    if method == "GET" and not key:
        return "ListObjectsV2"
    raise NotImplementedError(f"{method} {key} {query}")


def _error_xml(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>scripted</Message></Error>".encode()
