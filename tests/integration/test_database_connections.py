"""How connections to the task database behave when its host is no longer there."""

from __future__ import annotations

import socket
from typing import Any

from waybill.infra.db.engine import create_engine, read_transaction


def test_a_database_host_that_vanishes_is_noticed_within_half_a_lease(postgres_url: str):
    engine = create_engine(postgres_url)
    try:
        with read_transaction(engine) as connection:
            driver: Any = connection.connection.driver_connection
            with socket.socket(fileno=socket.dup(driver.pgconn.socket)) as wire:
                silent = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                between = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
                tries = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
                unacknowledged = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    finally:
        engine.dispose()
    assert silent + between * tries <= 30
    assert 0 < unacknowledged <= 30_000
