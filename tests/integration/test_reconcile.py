"""F91: the bucket against the database, in both directions, at once and slowly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from typer.testing import CliRunner

from tests.support.gated_installation import gated_installation
from tests.support.servers.s3_gate import Refusal, S3Gate, refuse
from tests.support.stored_keys import OWNER
from tests.support.task_store import ANN, Worker, finished, new_task
from tests.support.task_tables import DATABASES, task_tables
from waybill.api.cli.main import app
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.files.background import BackgroundReconcile
from waybill.infra.files.object_keys import object_key, probe_key
from waybill.infra.files.reconcile import Reconciler, age
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus
from waybill.storage.memory import MemoryStore
from waybill.storage.store import ListedObject, ObjectStore

NO_AGE, HOUR, TWO_DAYS = timedelta(0), timedelta(hours=1), timedelta(days=2)
ME = Actor.command_line("me")


class Installation:
    """Task tables, a bucket, and what an export leaves in both."""

    def __init__(self, engine: Engine, store: ObjectStore) -> None:
        self.engine, self.store = engine, store
        self.requests, self.runs = TaskRequests(engine), Worker(engine)
        self.reconciler = Reconciler(engine, store, OWNER.prefix, page=2)

    def put(self, key: str | None = None) -> str:
        key = key or object_key(OWNER.installation, "acme", uuid4(), 1, "csv")
        with self.store.open_upload(key, content_type="text/csv") as upload:
            upload.write(bytes(100))
        return key

    def begin(self, number: int = 0) -> tuple[Task, str]:
        """An attempt that has stored its object, and has not said so yet."""
        task = self.requests.submit(ANN, new_task(params={"number": number})).task
        self.claim = self.runs.claim(task.id, "w")
        assert self.claim is not None
        key = object_key(OWNER.installation, "acme", task.id, self.claim.fence, "csv")
        self.runs.reserve_object(self.claim, key)
        return task, self.put(key)

    def export(self, number: int = 0) -> tuple[Task, str]:
        task, key = self.begin(number)
        assert self.claim is not None
        assert self.runs.finish(self.claim, finished(key))
        return task, key

    def status(self, task: Task) -> TaskStatus:
        return self.requests.get(ANN, task.id).status

    def audited(self, action: str) -> list[tuple[str, object]]:
        a = audit_log.c
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(a.actor, a.detail).where(a.action == action))
            return [(row.actor, row.detail) for row in rows]


@pytest.fixture(params=DATABASES)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    with task_tables(request, tmp_path) as engine:
        yield Installation(engine, MemoryStore())


def test_f91_both_directions_are_found_and_then_fixed(here: Installation) -> None:
    kept = [here.export(number) for number in range(3)]
    (lost, lost_key), (changed, changed_key) = here.export(3), here.export(4)
    running, running_key = here.begin(5)
    orphans = sorted(here.put() for _ in range(5))
    others = [here.put("exports/ba9876543210/a/b/1.csv"), here.put("exports/old/1.csv")]
    here.store.delete(lost_key)
    with here.store.open_upload(changed_key, content_type="text/csv") as upload:
        upload.write(b"another size")

    found = here.reconciler.run(fix=False, older_than=NO_AGE, actor=ME)
    assert (found.objects, found.files, found.found) == (10, 5, True)
    assert (found.orphans, found.orphan_bytes, sorted(found.orphan_keys)) == (5, 500, orphans)
    assert sorted(found.missing_keys) == sorted([lost_key, changed_key])
    assert (found.deleted, found.tasks_expired) == (0, 0)
    assert here.status(lost) == TaskStatus.SUCCESS
    assert all(here.store.head(key) for key in orphans)

    fixed = here.reconciler.run(fix=True, older_than=NO_AGE, actor=ME)
    assert (fixed.deleted, fixed.tasks_expired, fixed.refused) == (5, 2, 0)
    assert [here.status(task) for task in (lost, changed)] == [TaskStatus.EXPIRED] * 2
    assert here.requests.get(ANN, lost.id).error_code == "file_missing"
    assert [here.status(task) for task, _ in kept] == [TaskStatus.SUCCESS] * 3
    assert here.status(running) == TaskStatus.PROCESSING
    assert all(here.store.head(key) for key in [running_key, *others, *(key for _, key in kept)])
    assert not any(here.store.head(key) for key in orphans)
    assert sum(detail["objects"] for _, detail in here.audited("delete_orphans")) == 5  # type: ignore[index]
    assert {actor for actor, _ in here.audited("file_missing")} == {"me"}

    assert not here.reconciler.run(fix=False, older_than=NO_AGE).found


def test_f91_what_a_restored_database_has_lost_is_deleted_once_it_is_old(
    here: Installation,
) -> None:
    task, key = here.export()
    with here.engine.begin() as connection:
        for table in ("audit_log", "outbox", "notification", "storage_object", "export_task"):
            if table != "audit_log":
                connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
    assert task.id
    young = here.reconciler.run(fix=True, older_than=HOUR)
    assert (young.orphans, young.orphans_young, young.deleted) == (1, 1, 0)
    assert here.store.head(key) is not None
    assert here.reconciler.run(fix=True, older_than=NO_AGE).deleted == 1


def test_f91_an_object_of_the_same_second_is_no_object_of_the_future() -> None:
    # The time of the answer is cut to its second, the object's own is not.
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    written = ListedObject("a", 1, now + timedelta(milliseconds=900))
    assert age(written, now) == timedelta(0)
    assert age(written, now + HOUR) == HOUR - timedelta(milliseconds=900)


def leave_open(store: ObjectStore, key: str) -> None:
    """What a worker that dies or is cut off leaves of an upload."""
    ExitStack().enter_context(store.open_upload(key, content_type="text/csv")).write(b"x" * 10)


def test_f114_uploads_on_no_record_are_aborted_and_those_of_attempts_are_not(
    here: Installation,
) -> None:
    leave_open(here.store, probe_key(OWNER.installation))
    leave_open(here.store, "exports/ba9876543210/probe/of-another-installation")
    _, recorded = here.begin()
    leave_open(here.store, recorded)

    assert here.reconciler.run(fix=True, older_than=HOUR).uploads == 0
    found = here.reconciler.run(fix=False, older_than=NO_AGE)
    assert (found.uploads, found.uploads_aborted, found.found) == (1, 0, True)
    fixed = here.reconciler.run(fix=True, older_than=NO_AGE)
    assert (fixed.uploads, fixed.uploads_aborted) == (1, 1)
    assert {upload.key for upload in here.store.list_uploads()} == {
        recorded,
        "exports/ba9876543210/probe/of-another-installation",
    }


def test_f91_the_sweeper_finds_both_slowly(here: Installation) -> None:
    slow = BackgroundReconcile(here.reconciler, retention=-TWO_DAYS)
    patient = BackgroundReconcile(here.reconciler, retention=NO_AGE)
    (task, key), orphan = here.export(), here.put()
    here.store.delete(key)
    for _ in range(3):
        patient.step()
    assert here.status(task) == TaskStatus.EXPIRED
    assert here.store.head(orphan) is not None
    for _ in range(3):
        slow.step()
    assert here.store.head(orphan) is None
    # After a round it rests.
    late = here.put()
    slow.step()
    assert here.store.head(late) is not None


def test_f114_the_sweeper_aborts_uploads_that_tried_a_store_which_was_away(
    here: Installation,
) -> None:
    leave_open(here.store, probe_key(OWNER.installation))
    BackgroundReconcile(here.reconciler, retention=NO_AGE).step()
    assert len(list(here.store.list_uploads())) == 1
    BackgroundReconcile(here.reconciler, retention=NO_AGE, upload_age=NO_AGE).step()
    assert list(here.store.list_uploads()) == []


def test_f91_the_sweeper_does_not_believe_that_most_files_are_gone(here: Installation) -> None:
    exports = [here.export(number) for number in range(20)]
    for _, key in exports[:11]:
        here.store.delete(key)
    slow = BackgroundReconcile(here.reconciler, retention=NO_AGE)
    for _ in range(3):
        slow.step()
    assert {here.status(task) for task, _ in exports} == {TaskStatus.SUCCESS}
    assert here.reconciler.run(fix=True, older_than=HOUR).tasks_expired == 11


def test_f91_the_command_says_what_differs_and_fixes_it(
    gate: S3Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gated_installation(gate, tmp_path, monkeypatch) as (stack, store):
        orphan = object_key(stack.owner.installation, "acme", uuid4(), 1, "csv")
        with store.open_upload(orphan, content_type="text/csv") as upload:
            upload.write(b"x")

        def run(*arguments: str) -> tuple[int, str]:
            result = CliRunner().invoke(app, ["reconcile", *arguments])
            return result.exit_code, result.output

        code, text = run()
        assert code == 1
        assert orphan in text
        code, text = run("--json", "--fix", "--older-than", "1")
        assert (code, json.loads(text)["orphans_young"], json.loads(text)["deleted"]) == (0, 1, 0)

        denied = Refusal(403, "AccessDenied")
        gate.rules.append(refuse(denied, lambda request: request.method == "DELETE"))
        code, text = run("--fix", "--older-than", "0")
        assert code == 1
        assert "does not let us delete 1 objects" in text
        gate.rules.clear()
        assert run("--fix", "--older-than", "0")[0] == 0
        assert store.head(orphan) is None
        assert run()[0] == 0


def test_f91_statuses_other_than_success_are_no_files(here: Installation) -> None:
    task, key = here.export()
    with here.engine.begin() as connection:
        connection.execute(
            sa.update(export_task).where(export_task.c.id == task.id).values(status="EXPIRED")
        )
    here.store.delete(key)
    assert here.reconciler.run(fix=False, older_than=NO_AGE).files == 0
