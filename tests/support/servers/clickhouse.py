"""A ClickHouse server for tests: HTTP as ClickHouse documents it, in front of its own engine.

There is no server to be had from the registries. chDB is ClickHouse's engine as a library: SQL,
types, settings, formats and errors are ClickHouse's own. HTTP, accounts and ``KILL QUERY`` are
written here: see "HTTP interface" in ClickHouse's manual. A result is complete before its first
byte is sent, which a server's is not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.servers.clickhouse_engine import receive, send
from waybill.infra.sources.statements import SYNTAXES, _tokens

_NO_SETTINGS = {
    *("query_id", "database", "session_id", "default_format", "role", "client_protocol_version"),
    *("wait_end_of_query", "buffer_size", "enable_http_compression"),
    *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
}
_KILL = re.compile(r"\s*KILL QUERY WHERE query_id = ")
_CHUNK = 1 << 16


class ClickhouseServer:
    """One database, its engine, and what clients are doing."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._engine: subprocess.Popen[bytes] | None = None
        self.password = password
        #: The queries that run, or whose rows are being sent.
        self.running: set[str] = set()
        self.killed: set[str] = set()
        #: The query that the engine has.
        self._current = ""
        #: Set to break off all results that are being sent.
        self.cut = threading.Event()
        #: Settings of the account's profile, and those that it may not change.
        self.profile: dict[str, str] = {}
        self.port = 0

    def ask(self, sql: str, output: str, values: dict[str, str], query_id: str = "") -> Any:
        """The number of an error, or 200; and the answer. One at a time."""
        with self._lock:
            if query_id in self.killed:
                return _ENDED
            self._current = query_id
            engine = self._engine = self._engine or _start(self._folder)
            if engine.stdin is None or engine.stdout is None:
                raise RuntimeError("the engine has no pipes")
            try:
                send(engine.stdin, (sql, output, values))
                code, answer = receive(engine.stdout)
            except (EOFError, OSError):
                code, answer = _ENDED
            finally:
                self._current = ""
            if code != 200:
                self._end_engine()
            return code, answer

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement of a test's own.

        Raises:
            RuntimeError: ClickHouse's error.
        """
        code, answer = self.ask(sql, "TabSeparated", {})
        if code != 200:
            raise RuntimeError(answer.decode(errors="replace"))
        return [tuple(line.split("\t")) for line in answer.decode(errors="replace").splitlines()]

    def kill(self, query_id: str) -> None:
        """What ``KILL QUERY`` does."""
        if query_id not in self.running:
            return
        self.killed.add(query_id)
        engine = self._engine
        if self._current == query_id and engine is not None:
            engine.kill()

    def close(self) -> None:
        """End the engine."""
        self._end_engine()

    def _end_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.kill()
            engine.wait()
            for pipe in (engine.stdin, engine.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


_ENDED = (394, b"Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)")


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.servers.clickhouse_engine", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _is_several(sql: str) -> bool:
    """Whether something is behind a semicolon: chDB would run it, and a server would not."""
    tokens = [sql[start:stop] for start, stop in _tokens(sql, SYNTAXES["clickhouse"])]
    return ";" in tokens and tokens.index(";") < len(tokens) - 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    clickhouse: ClickhouseServer

    def do_POST(self) -> None:
        server = self.clickhouse
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sql = given.pop("query", "") + body.decode()
        if server.password and self._password() != server.password:
            return self._refuse(516, b"Code: 516. DB::Exception: Authentication failed")
        if _is_several(sql):
            return self._refuse(62, b"Code: 62. DB::Exception: Multi-statements are not allowed")
        if _KILL.match(sql):
            server.kill(given["param_waybill_id"])
            return self._answer(b"")
        query_id = given.get("query_id", "")
        server.running.add(query_id)
        try:
            self._run(sql, given, query_id)
        finally:
            server.running.discard(query_id)
            server.killed.discard(query_id)
        return None

    do_GET = do_POST

    def _password(self) -> str:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return b64decode(value).decode().partition(":")[2] if kind == "Basic" else ""

    def _run(self, sql: str, given: dict[str, str], query_id: str) -> None:
        server = self.clickhouse
        output = self.headers.get("X-ClickHouse-Format") or given.get("default_format")
        values = {
            name.removeprefix("param_"): value
            for name, value in given.items()
            if name.startswith("param_")
        }
        settings = server.profile | {
            name: value
            for name, value in given.items()
            if name not in _NO_SETTINGS and not name.startswith("param_")
        }
        quoted = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        if quoted:
            # Behind the format, where any statement that returns rows has its settings.
            sql = f"{sql}\nSETTINGS {quoted}"
        code, answer = server.ask(sql, output or "TabSeparated", values, query_id)
        if code != 200:
            self._refuse(code, answer)
        else:
            self._answer(answer, query_id)

    def _refuse(self, code: int, text: bytes) -> None:
        self.send_response(403 if code == 516 else 500)
        self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, answer: bytes, query_id: str = "") -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.end_headers()
        try:
            for start in range(0, len(answer), _CHUNK):
                if self.clickhouse.cut.is_set():
                    self.close_connection = True
                    return
                if query_id in self.clickhouse.killed:
                    self._chunk(_ENDED[1])
                    break
                self._chunk(answer[start : start + _CHUNK])
            self._chunk(b"")
        except OSError:
            self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Nothing: tests look at what clients see."""


@contextmanager
def clickhouse_server(folder: Path, password: str = "") -> Iterator[ClickhouseServer]:
    """A server on a free port of this machine, until the context ends."""
    clickhouse = ClickhouseServer(folder, password)
    handler = type("Handler", (_Handler,), {"clickhouse": clickhouse})
    server = _Server(("127.0.0.1", 0), handler)
    clickhouse.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield clickhouse
    finally:
        clickhouse.cut.set()
        clickhouse.close()
        server.shutdown()
        server.server_close()
        thread.join(10)
