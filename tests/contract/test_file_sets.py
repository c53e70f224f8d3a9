"""What becomes of the files of a set: the same as of its manifest, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.file_sets import SIZE_BYTES, begin_set, finish_set, write_file
from tests.support.shard_plans import PLAN
from tests.support.stored_keys import OWNER, stored_keys
from tests.support.task_store import ANN, BOB, Worker, expire_lease, new_task
from waybill.infra.db.tables import export_task
from waybill.infra.files.object_keys import object_key
from waybill.infra.files.reconcile import Reconciler
from waybill.infra.tasks.file_sets import FileSets, file_key
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import SingleFlight
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.memory import MemoryStore

HOUR = timedelta(hours=1)


class Export:
    """An export as a set of three files, by one worker."""

    def __init__(self, engine) -> None:
        self.engine, self.store = engine, MemoryStore()
        self.requests, self.maintenance = TaskRequests(engine), Maintenance(engine)
        flight = SingleFlight("k", reuse_for=HOUR)
        self.new = new_task(format="parquet", single_flight=flight)
        self.task = self.requests.submit(ANN, self.new).task
        self.claim = Worker(engine).claim(self.task.id, "first")
        key = object_key(OWNER.installation, ANN.tenant, self.task.id, self.claim.fence, "parquet")
        self.file = begin_set(engine, self.claim, key)
        self.keys = [file_key(self.file.key, number) for number in range(3)]

    def write(self, files: int) -> None:
        for _ in range(files):
            write_file(self.engine, self.store, self.claim)

    def finish(self) -> None:
        finish_set(self.engine, self.store, self.claim, self.file)
        # As the worker that finishes has it, whose query made the key.
        with self.engine.begin() as connection:
            connection.execute(sa.update(export_task).values(flight_key="k"))

    def sweep(self) -> list[str]:
        """The keys that are left after what nobody refers to was collected."""
        sweeper = Sweeper(self.maintenance, self.store, lease=HOUR, retry_in=timedelta(0))
        for _ in range(3):
            sweeper.sweep()
        return stored_keys(self.store)


@pytest.fixture
def export(engine) -> Export:
    return Export(engine)


def test_f134_files_are_kept_while_their_task_may_go_on(engine, export):
    export.write(2)
    assert export.sweep() == export.keys[:2]
    expire_lease(engine, export.task.id)
    export.maintenance.rescue_expired_leases(timedelta(0))
    assert export.sweep() == export.keys[:2]
    successor = Worker(engine).claim(export.task.id, "second")
    left = ShardPlans(engine).left(successor)
    assert (left.done, left.file.is_set) == (2, True)
    assert ShardPlans(engine).adopt(successor, left, replace(PLAN.snapshot, name="0-9"))
    assert export.sweep() == export.keys[:2]
    export.claim = successor
    export.write(1)
    export.finish()
    assert export.sweep() == [export.file.key, *export.keys]


def test_f134_files_of_an_export_that_is_cancelled_are_collected(export):
    export.write(2)
    export.requests.cancel(ANN, export.task.id)
    ShardPlans(export.engine).forget(export.claim)
    Worker(export.engine).fail(export.claim, code="cancelled", message="", retry_in=None)
    assert export.sweep() == []


def test_f134_a_set_goes_when_the_last_task_that_has_it_goes(export):
    export.write(3)
    export.finish()
    shared = export.requests.submit(BOB, export.new).task
    assert (shared.status, shared.files) == ("SUCCESS", 3)
    assert shared.size_bytes == 3 * SIZE_BYTES + len(export.store.read(export.file.key))
    export.requests.delete(ANN, export.task.id)
    assert export.sweep() == [export.file.key, *export.keys]
    assert [file.key for file in FileSets(export.engine).of(shared)] == export.keys
    export.requests.delete(BOB, shared.id)
    assert export.sweep() == []


def test_f134_a_set_that_lost_a_file_is_lost(engine, export):
    export.write(3)
    export.finish()
    reconciler = Reconciler(engine, export.store, OWNER.prefix, page=2)
    found = reconciler.run(fix=True, older_than=timedelta(0), read=True)
    assert (found.orphans, found.missing, found.damaged, found.files) == (0, 0, 0, 4)
    export.store.delete(export.keys[1])
    found = reconciler.run(fix=True, older_than=timedelta(0))
    assert (found.missing_keys, found.tasks_expired) == ([export.keys[1]], 1)
    assert export.requests.get(ANN, export.task.id).error_code == "file_missing"
    assert export.sweep() == []
