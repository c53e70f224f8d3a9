"""A TCP proxy that misbehaves on request: the network between us and a server.

It runs its own event loop in its own thread, so that tests of blocking clients and of
asyncio clients use it alike. Every method takes effect on open connections and new ones,
returns when it has, and may be called from any thread. `heal` ends all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from enum import Flag, auto
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 64 * 1024
#: Zero seconds of linger: closing sends RST and throws unsent data away.
_RESET = struct.pack("ii", 1, 0)


class Direction(Flag):
    """Which way bytes travel."""

    TO_SERVER = auto()
    TO_CLIENT = auto()
    BOTH = TO_SERVER | TO_CLIENT


class _Toxics:
    """What is wrong with one direction right now."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.latency_seconds = 0.0
        self.bytes_left: int | None = None


class _Link:
    """One client's connection and the one made to the server for it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server

    def reset(self) -> None:
        for writer in (self.client, self.server):
            connection: socket.socket | None = writer.get_extra_info("socket")
            # A TLS transport that is closed has none.
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def finish(self, direction: Direction) -> None:
        """Say "no more bytes" to one side and leave the other way open."""
        writer = self.server if direction is Direction.TO_SERVER else self.client
        with contextlib.suppress(OSError):
            writer.write_eof()


class TcpProxy:
    """Forwards `127.0.0.1:port` to a server. Use it as a context manager."""

    def __init__(
        self,
        server_port: int,
        server_host: str = "127.0.0.1",
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """With `tls`, clients speak TLS with the proxy, and the proxy does not with the server."""
        self._tls = tls
        self.port = 0
        #: Connections accepted so far.
        self.accepted = 0
        self._target = (server_host, server_port)
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")
        self._toxics = {way: _Toxics() for way in Direction.BOTH}

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def refuse(self) -> None:
        """Refuse new connections and reset the open ones, as a host without the server."""
        self._do(self._close_listener)
        self.reset()

    def reset(self) -> None:
        """Reset every open connection (RST). New ones work."""
        self._do(self._reset_all)

    def blackhole(self, direction: Direction = Direction.BOTH) -> None:
        """Accept and forward nothing. Bytes on the way arrive after `heal`, as with a cable."""
        self._each(direction, lambda toxics: toxics.open.clear())

    def delay(self, seconds: float, direction: Direction = Direction.BOTH) -> None:
        """Keep every chunk for `seconds`."""

        def apply(toxics: _Toxics) -> None:
            toxics.latency_seconds = seconds

        self._each(direction, apply)

    def cut_after(self, count_bytes: int, direction: Direction = Direction.BOTH) -> None:
        """Reset a connection once `count_bytes` more have passed, in each of `direction`."""

        def apply(toxics: _Toxics) -> None:
            toxics.bytes_left = count_bytes

        self._each(direction, apply)

    def lead_to(self, server_port: int) -> None:
        """Forward to another server from now on, as an address does that moves; see `reset`."""
        self._target = (self._target[0], server_port)
        self.reset()

    def half_close(self, direction: Direction) -> None:
        """Send FIN one way on every open connection; the other way goes on."""
        self._do(lambda: [link.finish(direction) for link in self._links])

    def heal(self) -> None:
        """Forward everything again, at once and without limits."""

        def apply(toxics: _Toxics) -> None:
            toxics.open.set()
            toxics.latency_seconds = 0.0
            toxics.bytes_left = None

        self._each(Direction.BOTH, apply)
        self._do(self._open)

    def _do(self, action: Callable[[], object]) -> None:
        """Run `action` in the proxy's loop and wait; it may be a coroutine function."""

        async def run() -> None:
            result = action()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _each(self, direction: Direction, apply: Callable[[_Toxics], object]) -> None:
        self._do(lambda: [apply(self._toxics[way]) for way in direction])

    async def _open(self) -> None:
        if self._listener is None:
            # The same port again after `refuse`: clients know no other.
            self._listener = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, ssl=self._tls
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            await listener.wait_closed()

    async def _reset_all(self) -> None:
        links = dict(self._links)
        for link, task in links.items():
            link.reset()
            # A direction that is held up does not notice that its connection is gone.
            task.cancel()
        await asyncio.gather(*links.values(), return_exceptions=True)

    async def _end(self) -> None:
        await self._close_listener()
        await self._reset_all()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            from_server, server = await asyncio.open_connection(*self._target)
        except OSError:
            client.transport.abort()
            return
        link = _Link(client, server)
        self._links[link] = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(reader, link, Direction.TO_SERVER))
                ways.create_task(self._forward(from_server, link, Direction.TO_CLIENT))
        except (BaseExceptionGroup, asyncio.CancelledError):
            # One way broke, or a test asked for it: what is left of the link goes too.
            link.reset()
        finally:
            del self._links[link]
            for writer in (client, server):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _forward(
        self, reader: asyncio.StreamReader, link: _Link, direction: Direction
    ) -> None:
        toxics = self._toxics[direction]
        writer = link.server if direction is Direction.TO_SERVER else link.client
        while data := await reader.read(_CHUNK_BYTES):
            if toxics.latency_seconds:
                await asyncio.sleep(toxics.latency_seconds)
            await toxics.open.wait()
            if toxics.bytes_left is not None:
                data = data[: toxics.bytes_left]
                toxics.bytes_left -= len(data)
            writer.write(data)
            await writer.drain()
            if toxics.bytes_left == 0:
                raise ConnectionResetError
        await toxics.open.wait()
        link.finish(direction)
