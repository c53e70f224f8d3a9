"""A gate in front of a real S3 server: an HTTP proxy whose rules refuse what other stores refuse.

What a rule lets through goes on as it came, `Host` and signature included, so the server behind
judges both. Clients reach it as a server, or as their HTTP proxy: then any host name leads to it.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.servers.loopback import LoopbackServer
from waybill.storage.config import S3Config

#: Not passed on: they concern one connection.
_HOP = frozenset({"connection", "expect", "keep-alive", "proxy-connection", "transfer-encoding"})


@dataclass(frozen=True)
class GateRequest:
    method: str
    host: str
    path: str
    query: Mapping[str, str]
    #: Their names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def signed_for(self) -> str:
        """The region in its signature, of a request and of a link."""
        credential = self.query.get("X-Amz-Credential") or self.headers.get("authorization", "")
        return credential.split("/")[2] if credential.count("/") >= 4 else ""


@dataclass(frozen=True)
class Refusal:
    """An error document, as S3 answers it."""

    status: int
    code: str
    message: str = "refused by the gate"
    more: str = ""
    headers: tuple[tuple[str, str], ...] = ()


Rule = Callable[[GateRequest], Refusal | None]


class S3Gate:
    """A context manager; inside it the gate listens on a free loopback port."""

    def __init__(self, behind: S3Config, *rules: Rule, tls: ssl.SSLContext | None = None) -> None:
        self.behind = behind
        self.rules = list(rules)
        #: All requests, and those that a rule refused.
        self.seen: list[GateRequest] = []
        self.refused: list[GateRequest] = []
        self._server = _Server(_Exchange, tls)
        self._server.gate = self

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Its own address."""
        return self._server.url

    def config(self, **changes: object) -> S3Config:
        """The store behind it, reached through it."""
        return replace(self.behind, **{"endpoint_url": self.url, "attempts": 2, **changes})

    def refusal(self, request: GateRequest) -> Refusal | None:
        """What the first rule that minds says."""
        self.seen.append(request)
        for rule in self.rules:
            if (refusal := rule(request)) is not None:
                self.refused.append(request)
                return refusal
        return None


def refuse(refusal: Refusal, when: Callable[[GateRequest], bool]) -> Rule:
    """A rule that refuses each request for which `when` is true."""
    return lambda request: refusal if when(request) else None


@pytest.fixture
def gate(s3_config: S3Config) -> Iterator[S3Gate]:
    """A gate without rules in front of SeaweedFS."""
    with S3Gate(s3_config) as running:
        yield running


class _Server(LoopbackServer):
    daemon_threads = True
    gate: S3Gate


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def exchange(self) -> None:
        url = urlsplit(self.path)
        target = url.path + (f"?{url.query}" if url.query else "")
        query = parse_qs(url.query, keep_blank_values=True)
        request = GateRequest(
            self.command,
            self.headers.get("Host", ""),
            url.path,
            {name: values[0] for name, values in query.items()},
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        refusal = self.server.gate.refusal(request)
        if refusal is not None:
            text = f"<Code>{refusal.code}</Code><Message>{refusal.message}</Message>{refusal.more}"
            headers = [("Content-Type", "application/xml"), *refusal.headers]
            self._answer(refusal.status, headers, f"<Error>{text}</Error>".encode())
            return
        behind = urlsplit(str(self.server.gate.behind.endpoint_url)).netloc
        connection = http.client.HTTPConnection(behind, timeout=30)
        connection.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP:
                connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        self._answer(answer.status, kept, answer.read())
        connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = exchange

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests look at `S3Gate.seen`."""
