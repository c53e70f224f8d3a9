"""How connections to the task database behave when a host vanishes or a process stands still."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from waybill.infra.db.engine import (
    advisory_lock,
    create_engine,
    read_transaction,
    write_transaction,
)
from waybill.infra.db.idle_connections import IDLE, check_when_idle


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


def test_f85_a_process_that_stands_still_in_a_transaction_holds_no_lock_for_long(
    postgres_url: str,
):
    quick = timedelta(seconds=0.2)
    frozen = create_engine(postgres_url, idle_in_transaction=quick)
    other = create_engine(postgres_url)
    try:
        with frozen.connect() as silent, write_transaction(other) as connection:
            # Only so that a failing test ends.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '20s'")
            advisory_lock(silent, "a task")
            # Waits until the server has ended the silent session, and its lock with it.
            advisory_lock(connection, "a task")
            with pytest.raises(OperationalError):
                advisory_lock(silent, "another one")
        with frozen.connect() as again:
            assert again.execute(sa.text("SELECT 1")).scalar_one() == 1
    finally:
        frozen.dispose()
        other.dispose()


def test_f85_no_connection_may_be_silent_in_a_transaction_for_long(postgres_url: str):
    engine = create_engine(postgres_url, pool_size=1)
    try:
        for transaction in (read_transaction, write_transaction, read_transaction):
            with transaction(engine) as connection:
                limit = connection.execute(sa.text("SHOW idle_in_transaction_session_timeout"))
                assert limit.scalar_one() == "30s"
    finally:
        engine.dispose()


@pytest.mark.parametrize(("idle", "survives"), [(timedelta(0), True), (timedelta(hours=1), False)])
def test_a_connection_that_died_while_it_was_idle_is_replaced_unseen(
    postgres_url: str, idle: timedelta, survives: bool
):
    """One that was used a moment ago is not tested; its statement fails, and the next works."""
    engine = sa.create_engine(engine_url(postgres_url))
    other = create_engine(postgres_url)
    check_when_idle(engine, idle)
    try:
        with engine.connect() as connection:
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with write_transaction(other) as connection:
            end = sa.text("SELECT pg_terminate_backend(:pid, 10000)")
            assert connection.execute(end, {"pid": pid}).scalar_one()
        if not survives:
            with engine.connect() as connection, pytest.raises(OperationalError):
                connection.execute(sa.text("SELECT 1"))
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != pid
    finally:
        engine.dispose()
        other.dispose()


def test_f98_no_connection_of_a_dead_primary_is_used_once_it_was_idle(postgres_url: str):
    engine, other = create_engine(postgres_url), create_engine(postgres_url)
    try:
        with read_transaction(engine) as connection:
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with write_transaction(other) as connection:
            end = sa.text("SELECT pg_terminate_backend(:pid, 10000)")
            assert connection.execute(end, {"pid": pid}).scalar_one()
            # One that was used a moment ago would not be tested.
            connection.execute(sa.text("SELECT pg_sleep(:s)"), {"s": 2 * IDLE.total_seconds()})
        with read_transaction(engine) as connection:
            assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() != pid
    finally:
        engine.dispose()
        other.dispose()


def engine_url(url: str) -> sa.URL:
    return sa.make_url(url).set(drivername="postgresql+psycopg")
