"""A claim that a failover of the database lost: its worker is the owner of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.eventually import eventually
from tests.support.fault_lab import LEASE_SECONDS, open_lab
from tests.support.guarded import lost_claim_writes_nothing
from tests.support.stored_keys import stored_keys
from tests.support.task_store import Worker, put_row_back, task_row
from tests.support.task_tables import DATABASES, task_tables
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.runs import Pulse, TaskRuns


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with task_tables(request, tmp_path) as engine:
        yield engine


def test_f94_a_lost_claim_writes_nothing_although_another_has_its_fence(engine):
    lost_claim_writes_nothing(engine)


@pytest.mark.parametrize("noticed", ["at_the_end", "at_a_heartbeat"])
async def test_f94_the_file_of_a_lost_claim_is_deleted(engine, tmp_path, monkeypatch, noticed):
    finish, written = TaskRuns.finish, []

    def recorded(runs, claim, done):
        written.append(lab.store.head(done.object_key))
        return finish(runs, claim, done)

    monkeypatch.setattr(TaskRuns, "finish", recorded)
    lease = LEASE_SECONDS
    if noticed == "at_the_end":
        # On a busy machine a heartbeat would come first.
        monkeypatch.setattr(TaskRuns, "heartbeat", lambda *_: Pulse.ALIVE)
        lease = 60
    url = engine.url.render_as_string(hide_password=False)
    with open_lab(tmp_path, url, lease=lease) as lab:
        task_id = lab.submit()
        known = task_row(engine, task_id)
        async with lab.worker():
            await lab.at_the_gate()
            put_row_back(engine, known)
            second = Worker(engine).claim(task_id, "second")
            assert second is not None
            assert second.fence == 1
            before = task_row(engine, task_id)
            if noticed == "at_the_end":
                lab.source.gate.set()
            await eventually(lambda: written or lab.source.interrupted)
        assert task_row(engine, task_id) == before
        assert not stored_keys(lab.store)
        assert not list(lab.store.list_uploads())
        if noticed == "at_the_end":
            # What the first one left on record is no upload of the second one.
            assert len(Maintenance(engine).orphaned_objects()) == 1
