"""The auditor finds what it is there to find: each violation is planted once, and named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.support.auditor import Auditor, Refusal
from tests.support.fault_lab import QUEUES, open_lab
from tests.support.task_store import ANN
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import (
    audit_log,
    dead_letter,
    export_shard,
    export_task,
    shard_plan,
    snapshot_holder,
    storage_object,
)


@pytest.fixture
async def lab(tmp_path, tasks_url):
    """One finished task, and one that was cancelled."""
    with open_lab(tmp_path, tasks_url) as lab:
        lab.source.gate.set()
        lab.done, lab.cancelled = lab.submit(), lab.submit(QUEUES[1])
        lab.requests.cancel(ANN, lab.cancelled)
        async with lab.worker():
            await lab.ended(lab.done)
        lab.audit()
        yield lab


def change(lab, statement: sa.Executable) -> None:
    with write_transaction(lab.engine) as connection:
        connection.execute(statement)


def change_task(lab, **values) -> None:
    change(lab, sa.update(export_task).where(export_task.c.id == lab.done).values(**values))


def add_history(lab, **values) -> None:
    entry = {
        "at": datetime.now(UTC),
        "tenant_id": "acme",
        "actor": "w",
        "action": "claim",
        "task_id": lab.done,
        "fence": 9,
    }
    change(lab, audit_log.insert().values(**entry | values))


def add_object(lab, key: str) -> None:
    with lab.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(b"x")


def add_dead_letter(lab) -> None:
    letter = {"queue": "q", "reason": "why", "body": "", "message_hash": "h", "task_id": lab.done}
    change(lab, dead_letter.insert().values(at=datetime.now(UTC), **letter))


def copy_done(lab, **values) -> None:
    row = {**lab.row(lab.done), "id": uuid4()}
    change(lab, export_task.insert().values(**row | values))


def add_plan(lab, task_id: str, **values) -> None:
    """A plan of shards."""
    plan = {
        **dict.fromkeys(("fence", "part_bytes", "rows_of_shard", "rows"), 1),
        **dict.fromkeys(("fingerprint", "object_key", "upload_id", "snapshot"), "x"),
        "notes": {},
        "snapshot_state": {},
    }
    at = datetime.now(UTC)
    change(lab, shard_plan.insert().values(task_id=task_id, snapshot_at=at, **plan | values))


def add_shard(lab, *, of_plan: dict[str, Any] | None = None, **values) -> None:
    """A plan of the finished task and its one shard, with nothing wrong but `values`."""
    row = lab.row(lab.done)
    plan = {"fence": row["fence"], "object_key": row["object_key"], "rows": row["rows_written"]}
    add_plan(lab, lab.done, **plan | (of_plan or {}))
    shard = {
        "number": 0,
        "fence": row["fence"],
        "queue": "q",
        "state": "DONE",
        "rows": row["rows_written"],
        "rows_done": row["rows_written"],
        "first_part": 1,
        "most_parts": 2,
        "parts": [{"number": 1, "size_bytes": 5}],
        "outcome": {"rows": row["rows_written"], "file": [5, 0]},
    }
    change(lab, export_shard.insert().values(task_id=lab.done, **shard | values))


def add_holder(lab) -> None:
    add_shard(lab)
    holder = {"task_id": lab.done, "held_by": "w", "name": "1", "held_at": datetime.now(UTC)}
    change(lab, snapshot_holder.insert().values(**holder))


def add_set(lab) -> None:
    """A set whose manifest names a file that is on no record."""
    key = "set.csv/manifest.json"
    named = {"name": "part-00001.csv", "rows": 1, "bytes": 1, "sha256": "0" * 64}
    with lab.store.open_upload(key, content_type="application/json") as upload:
        upload.write(json.dumps({"files": [named]}).encode())
    change_task(lab, object_key=key, files=1)


#: The tables themselves refuse most of what is planted here.
DROP_CHECKS = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT conname FROM pg_constraint
    WHERE conrelid = 'export_task'::regclass AND contype = 'c'
  LOOP EXECUTE format('ALTER TABLE export_task DROP CONSTRAINT %I', name); END LOOP;
END $$
"""

PLANTED = {
    "A1 {done} is still PENDING": lambda lab: change_task(lab, status="PENDING"),
    "A2 the object of {done} is not there": lambda lab: lab.store.delete(
        lab.row(lab.done)["object_key"]
    ),
    "A2 the object of {done} has 1 bytes": lambda lab: add_object(
        lab, lab.row(lab.done)["object_key"]
    ),
    "A2 the object of {done} has another SHA-256": lambda lab: change_task(lab, sha256="0" * 64),
    "A3 {done} went from SUCCESS by": lambda lab: add_history(
        lab, from_status="SUCCESS", to_status="PROCESSING"
    ),
    "A3 {done} is not what its history says": lambda lab: change_task(lab, fence=7),
    "A4 claim of {done} has fence 1": lambda lab: add_history(lab, fence=1),
    "A5 2 live tasks": lambda lab: [
        change(lab, sa.text("DROP INDEX uq_export_task_dedupe")),
        change(
            lab, sa.update(export_task).values(status="PENDING", dedupe_key="same", task_type="t")
        ),
    ],
    "A6 {done} had 9 attempts": lambda lab: [
        change(lab, sa.text(DROP_CHECKS)),
        change_task(lab, attempt=9),
    ],
    "A7 the upload of stray is open": lambda lab: lab.store.open_upload(
        "stray", content_type="text/csv"
    ).__enter__(),
    "A7 no task refers to stray": lambda lab: add_object(lab, "stray"),
    "A7 the record of objects": lambda lab: change(lab, sa.delete(storage_object)),
    "A8 export_task holds X-Amz-Si": lambda lab: change_task(
        lab, error_message="see http://s3/x?X-Amz-Signature=1"
    ),
    "A10 a dead letter of {done}": add_dead_letter,
    "A12 {done} joined a run": lambda lab: change_task(lab, joined_id=lab.cancelled),
    "A12 {done} got a file without a run": lambda lab: add_history(
        lab, from_status="PENDING", to_status="SUCCESS"
    ),
    "A13 {done} has a shard that is not written": lambda lab: add_shard(lab, fence=7),
    "A13 the plan of {done} is not": lambda lab: add_shard(lab, of_plan={"object_key": "x"}),
    "A13 {done} has not all of its shards": lambda lab: add_shard(lab, number=1),
    "A13 the shards of {done} have other rows": lambda lab: add_shard(lab, of_plan={"rows": 7}),
    "A13 shard 0 of {done} has 7 rows": lambda lab: add_shard(
        lab, outcome={"rows": 7, "file": [5, 0]}
    ),
    "A13 shard 0 of {done} has the parts [1, 1]": lambda lab: add_shard(
        lab, parts=[{"number": 1, "size_bytes": 2}, {"number": 1, "size_bytes": 3}]
    ),
    "A13 shard 0 of {done} has the parts [2]": lambda lab: add_shard(
        lab, parts=[{"number": 2, "size_bytes": 5}]
    ),
    "A13 shard 0 of {done} has other bytes": lambda lab: add_shard(
        lab, parts=[{"number": 1, "size_bytes": 6}]
    ),
    "A14 {cancelled} has ended and has a plan": lambda lab: add_plan(lab, lab.cancelled),
    "A15 {done} has ended, and w holds": add_holder,
    "A16 the manifest of {done} names other files": add_set,
    "is not one file": lambda lab: copy_done(lab, tenant_id="other"),
}


@pytest.mark.parametrize("finding", PLANTED)
async def test_a_planted_violation_is_named(lab, finding):
    PLANTED[finding](lab)
    with pytest.raises(AssertionError) as found:
        lab.audit()
    assert finding.format(done=lab.done, cancelled=lab.cancelled) in str(found.value)


def auditor_of(lab, answers, **patience: float) -> Auditor:
    """An auditor whose store gives `answers` in turn, the last one for ever."""

    def fetch(key: str) -> bytes | Refusal:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return lab.store.read(key) if answer is None else answer

    return Auditor(lab.engine, lab.store, fetch, log=str, canaries=(), **patience)


async def test_a2_a_file_that_comes_when_it_is_asked_for_again_is_noted_and_no_violation(lab):
    auditor = auditor_of(lab, [Refusal(503, "SlowDown"), Refusal(None, "reset"), None])
    assert auditor.findings() == []
    assert auditor.late == [f"{lab.done}: 503 SlowDown"]


@pytest.mark.parametrize("refusal", [Refusal(500, "InternalError"), Refusal(403, "AccessDenied")])
async def test_a2_what_the_store_said_instead_of_a_file_is_named(lab, refusal):
    (found,) = auditor_of(lab, [refusal], patience_seconds=0.2).findings()
    assert found == f"A2 the object of {lab.done} is not there: {refusal}"


async def test_a8_a_secret_in_the_log_is_named(lab):
    with pytest.raises(AssertionError, match="A8 the log holds X-Amz-Si"):
        lab.audit("GET /x?X-Amz-Signature=1")


async def test_a1_an_accepted_task_that_is_gone_is_named(lab):
    lost = str(uuid4())
    with pytest.raises(AssertionError, match=f"A1 {lost} was accepted and is gone"):
        lab.audit(accepted=[lost])


async def test_a11_an_open_transaction_is_named(lab):
    with lab.engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        with pytest.raises(AssertionError, match="A11"):
            lab.audit()
