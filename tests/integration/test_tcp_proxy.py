"""The fault proxy does to a connection what it says, and nothing to a healthy one."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.support.servers.tcp_proxy import Direction, TcpProxy


@pytest.fixture
def echo_port():
    """The port of a server that sends back what it gets, and says goodbye at the end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.sendall(b"bye")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                thread = threading.Thread(target=echo, args=(connection,))
                threads.append(thread)
                thread.start()

    threads = [threading.Thread(target=serve)]
    threads[0].start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(10)


@pytest.fixture
def proxy(echo_port):
    with TcpProxy(echo_port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    """Opens connections to the proxy, each with a timeout, and closes them."""
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return read(connection, len(data))


def read(connection: socket.socket, count: int) -> bytes:
    answer = b""
    while len(answer) < count and (data := connection.recv(count - len(answer))):
        answer += data
    return answer


def test_a_healthy_proxy_forwards_both_ways_and_the_end_as_well(connect):
    data = bytes(range(256)) * 4096
    connection = connect()
    sending = threading.Thread(target=connection.sendall, args=(data,))
    sending.start()
    assert read(connection, len(data)) == data
    sending.join()
    connection.shutdown(socket.SHUT_WR)
    assert read(connection, 10) == b"bye"


def test_refuse_resets_what_is_open_and_refuses_the_rest_until_healed(proxy, connect):
    connection = connect()
    assert ask(connection, b"1") == b"1"
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect()
    proxy.heal()
    assert ask(connect(), b"2") == b"2"


def test_reset_breaks_what_is_open_and_nothing_else(proxy, connect):
    connection = connect()
    assert ask(connection, b"1") == b"1"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert ask(connect(), b"2") == b"2"


@pytest.mark.parametrize("direction", [Direction.TO_SERVER, Direction.TO_CLIENT, Direction.BOTH])
def test_blackhole_holds_bytes_until_healed(proxy, connect, direction):
    connection = connect()
    assert ask(connection, b"1") == b"1"
    proxy.blackhole(direction)
    connection.settimeout(0.2)
    connection.sendall(b"2")
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(5)
    proxy.heal()
    assert connection.recv(1) == b"2"


def test_a_blackholed_connection_can_be_reset(proxy, connect):
    connection = connect()
    assert ask(connection, b"1") == b"1"
    proxy.blackhole()
    connection.sendall(b"2")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_delay_keeps_every_chunk_for_a_while(proxy, connect):
    connection = connect()
    proxy.delay(0.15)
    began = time.monotonic()
    assert ask(connection, b"1") == b"1"
    assert time.monotonic() - began >= 0.3


def test_cut_after_lets_so_many_bytes_pass(proxy, connect):
    connection = connect()
    proxy.cut_after(3, Direction.TO_CLIENT)
    connection.sendall(b"12345")
    answer = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(10):
            answer += data
    # What a reset overtakes is lost; more than was let through never arrives.
    assert b"123".startswith(answer)
    proxy.heal()
    assert ask(connect(), b"12345") == b"12345"


def test_half_close_ends_one_way_and_leaves_the_other_open(proxy, connect):
    connection = connect()
    assert ask(connection, b"1") == b"1"
    proxy.half_close(Direction.TO_SERVER)
    # The server saw the end of our bytes; what it says to that still arrives.
    assert read(connection, 10) == b"bye"
