"""The sweeper in a store that does not let it delete everything: O38 and O39."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import Engine

from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.task_tables import sqlite_tables
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import storage_object
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.s3 import S3Store

DENIED = Refusal(403, "AccessDenied", "object protected by object lock")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path) as engine:
        yield engine


@pytest.fixture
def store(gate: S3Gate) -> Iterator[S3Store]:
    with closing(S3Store(gate.config())) as store:
        yield store


@pytest.fixture
def sweeper(engine: Engine, store: S3Store) -> Sweeper:
    """It takes two of each kind in one scan."""
    maintenance = Maintenance(engine, batch=2)
    return Sweeper(maintenance, store, lease=timedelta(minutes=1), retry_in=timedelta(0))


def record(engine: Engine, keys: Sequence[str]) -> None:
    """Put keys on record that no task refers to."""
    now = datetime.now(UTC)
    rows = [
        {"key": key, "task_id": uuid4(), "fence": 1, "state": "OPEN", "created_at": now}
        for key in keys
    ]
    with write_transaction(engine) as connection:
        connection.execute(storage_object.insert(), rows)


def put(store: S3Store, keys: Sequence[str]) -> None:
    for key in keys:
        with store.open_upload(key, content_type="text/plain") as upload:
            upload.write(b"data")


def deletes(*keys: str) -> Callable[[GateRequest], bool]:
    return lambda request: request.method == "DELETE" and request.path.endswith(keys)


def test_o38_one_file_that_may_not_be_deleted_stops_no_other_and_is_logged_once(
    engine: Engine, store: S3Store, gate: S3Gate, sweeper: Sweeper, key_prefix: str, caplog
) -> None:
    keys = [f"{key_prefix}{name}" for name in ("a", "locked", "z")]
    put(store, keys)
    record(engine, keys)
    gate.rules.append(refuse(DENIED, deletes("locked")))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            sweeper.sweep()
    assert [store.head(key) is None for key in keys] == [True, False, True]
    assert Maintenance(engine).orphaned_objects() == [keys[1]]
    (line,) = [entry for entry in caplog.records if entry.message == "file not deleted"]
    assert line.key == keys[1]
    assert "object lock" in line.reason

    gate.rules.clear()
    sweeper.sweep()
    assert Maintenance(engine).orphaned_objects() == []


@pytest.mark.parametrize("refusal", [DENIED, Refusal(500, "InternalError")])
def test_o38_many_such_files_keep_none_from_its_turn(
    engine: Engine, store: S3Store, gate: S3Gate, sweeper: Sweeper, key_prefix: str, refusal
) -> None:
    # An outage ends a scan, so each takes one of them.
    refused = 1 if refusal.status == 500 else 3
    locked = [f"{key_prefix}{number}-locked" for number in range(refused)]
    last = f"{key_prefix}zzz"
    put(store, [last])
    record(engine, [*locked, last])
    gate.rules.append(refuse(refusal, deletes("-locked")))
    for _ in range(2):
        sweeper.sweep()
    assert store.head(last) is None
    assert last not in Maintenance(engine).orphaned_objects(after=locked[-1])


@pytest.mark.parametrize("refusal", [DENIED, Refusal(501, "NotImplemented")])
def test_o39_files_are_deleted_without_the_right_to_list_uploads(
    engine: Engine, store: S3Store, gate: S3Gate, sweeper: Sweeper, key_prefix: str, refusal
) -> None:
    key = f"{key_prefix}key"
    put(store, [key])
    record(engine, [key])
    gate.rules.append(
        refuse(refusal, lambda request: request.method == "GET" and "uploads" in request.query)
    )
    sweeper.sweep()
    assert store.head(key) is None
    assert Maintenance(engine).orphaned_objects() == []
