"""Due schedules: each slot runs once, for every state of clock, owner and last run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.schedules import Office, prepare
from tests.support.task_store import ANN, BOB, new_task
from waybill.exporter.errors import PermissionDenied, UnknownDataset, WaybillError
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import audit_log, export_task, schedule, share_link
from waybill.infra.links.share_links import ShareLinks
from waybill.infra.schedules.errors import ScheduleBusy
from waybill.infra.schedules.rows import due
from waybill.infra.schedules.runs import BATCH
from waybill.infra.schedules.saved_exports import Viewer
from waybill.infra.sessions.revocations import RevocationKind, Revocations, Subject
from waybill.infra.tasks.audit import SYSTEM

MONDAY = datetime(2026, 6, 1, 5, 0, tzinfo=UTC)
#: 08:00 in Berlin.
SLOT = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, MONDAY)


def test_a_slot_runs_when_it_comes_and_not_again(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    runs = office.runs()
    assert runs.run_due() == 0

    office.turn(SLOT)
    assert runs.run_due() == 1
    assert runs.run_due() == 0

    [run] = office.recorded(schedule_id)
    assert (run["slot"], run["outcome"], run["missed"]) == (SLOT, "submitted", 0)
    assert office.moments() == [SLOT.isoformat()]
    assert office.row(schedule_id)["next_slot"] == SLOT + WEEK


def test_the_task_belongs_to_the_owner_with_the_rights_of_their_latest_visit(
    office: Office,
) -> None:
    office.plan("0 8 * * 1")
    office.see(replace(ANN, roles=frozenset({"sales", "night"}), attributes={"region": "north"}))
    office.turn(SLOT)

    office.runs().run_due()

    with read_transaction(office.engine) as connection:
        task = connection.execute(sa.select(export_task)).mappings().one()
        actions = connection.execute(
            sa.select(audit_log.c.action, audit_log.c.actor_kind).where(
                audit_log.c.task_id == task["id"]
            )
        ).all()
    assert (task["created_by"], task["roles"]) == ("ann", ["night", "sales"])
    assert task["attributes"] == {"region": "north"}
    assert ("schedule_run", "system") in [tuple(row) for row in actions]


def test_of_several_missed_slots_the_newest_runs_alone(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    office.turn(SLOT + 3 * WEEK + timedelta(days=2))

    office.runs().run_due()

    [run] = office.recorded(schedule_id)
    assert (run["slot"], run["missed"]) == (SLOT + 3 * WEEK, 3)
    assert office.row(schedule_id)["next_slot"] == SLOT + 4 * WEEK


def test_a_clock_that_jumps_forward_and_back_repeats_nothing(office: Office) -> None:
    schedule_id = office.plan("0 8 * * *")
    runs = office.runs()
    for clock in (SLOT, SLOT + 2 * WEEK, SLOT + timedelta(days=1), SLOT, SLOT + 2 * WEEK):
        office.turn(clock)
        runs.run_due()
        office.end_tasks()
    office.turn(SLOT + 2 * WEEK + timedelta(days=1))
    runs.run_due()

    slots = [run["slot"] for run in office.recorded(schedule_id)]
    assert slots == [SLOT, SLOT + 2 * WEEK, SLOT + 2 * WEEK + timedelta(days=1)]
    assert office.moments() == [slot.isoformat() for slot in slots]


def test_a_slot_that_was_run_before_is_passed_over(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    office.turn(SLOT)
    office.runs().run_due()
    office.end_tasks()
    # As if the database had been put back, but for the run.
    office.change(schedule_id, next_slot=SLOT, due_at=SLOT)

    office.runs().run_due()

    assert len(office.recorded(schedule_id)) == len(office.moments()) == 1
    assert office.row(schedule_id)["next_slot"] == SLOT + WEEK


def test_a_claim_keeps_others_away_until_it_ends(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    office.turn(SLOT)
    dead = office.runs()
    assert len(dead._claim()) == 1

    assert office.runs().run_due() == 0
    office.turn(SLOT + timedelta(seconds=61))
    assert office.runs().run_due() == 1
    assert [run["slot"] for run in office.recorded(schedule_id)] == [SLOT]


def test_a_run_is_skipped_while_the_one_before_is_under_way(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    for week in range(3):
        office.turn(SLOT + week * WEEK)
        office.runs().run_due()
        if week == 1:
            office.end_tasks()

    outcomes = [(run["outcome"], run["code"]) for run in office.recorded(schedule_id)]
    assert outcomes == [("submitted", None), ("skipped", "schedule_busy"), ("submitted", None)]


def test_equal_schedules_each_get_a_task_of_their_own(office: Office) -> None:
    saved_id = office.save()
    for _ in range(2):
        office.plan("0 8 * * 1", saved_id=saved_id)
    office.turn(SLOT)

    office.runs().run_due()

    assert len(office.moments()) == 2


def test_a_quota_postpones_a_slot_and_a_later_one_takes_its_place(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    limits = Limits.only(max_queued_per_user=1)
    with write_transaction(office.engine) as connection:
        from waybill.infra.tasks.lifecycle.submission import submit

        submit(connection, ANN, new_task(), limits)
    runs = office.runs(limits=limits)

    office.turn(SLOT)
    assert runs.run_due() == 1
    assert office.recorded(schedule_id) == []
    assert office.row(schedule_id)["next_slot"] == SLOT
    assert office.row(schedule_id)["due_at"] == SLOT + timedelta(seconds=30)

    office.end_tasks()
    office.turn(SLOT + WEEK)
    runs.run_due()
    [run] = office.recorded(schedule_id)
    assert (run["slot"], run["missed"]) == (SLOT + WEEK, 1)


@pytest.mark.parametrize("error", [PermissionDenied("no"), UnknownDataset("gone")])
def test_what_will_not_change_by_itself_pauses_and_tells_owner_and_admins(
    office: Office, error: WaybillError
) -> None:
    schedule_id = office.plan("0 8 * * 1")
    office.turn(SLOT)

    def refuse(*_: Any) -> Any:
        raise error

    office.runs(refuse).run_due()

    [run] = office.recorded(schedule_id)
    assert (run["outcome"], run["code"], run["message"]) == ("refused", error.code, error.message)
    row = office.row(schedule_id)
    assert (row["paused_at"], row["paused_code"]) == (SLOT, error.code)
    assert office.notices() == [("", error.code), ("ann", error.code)]
    office.turn(SLOT + WEEK)
    assert office.runs().run_due() == 0


def test_a_bug_in_a_dataset_stops_no_other_schedule_and_pauses_in_the_end(office: Office) -> None:
    broken = office.plan("0 8 * * 1")
    good = office.plan("0 8 * * 1", user=BOB)

    def crash(owner: Any, *more: Any) -> Any:
        if owner.user == "ann":
            raise ZeroDivisionError
        return prepare(owner, *more)

    runs = office.runs(crash, failures=2)
    for week in range(3):
        office.turn(SLOT + week * WEEK)
        runs.run_due()
        office.end_tasks()

    assert [run["code"] for run in office.recorded(broken)] == ["internal_error"] * 2
    assert office.row(broken)["paused_code"] == "internal_error"
    assert len(office.recorded(good)) == 3


def test_runs_that_fail_in_a_row_pause_a_schedule_and_a_good_one_counts_anew(
    office: Office,
) -> None:
    schedule_id = office.plan("0 8 * * 1")
    runs = office.runs(failures=3)
    for week, status in enumerate(
        ["FAILED", "FAILED", "EXPIRED", "FAILED", "FAILED", "FAILED", ""]
    ):
        office.turn(SLOT + week * WEEK)
        runs.run_due()
        office.end_tasks(status) if status else None

    outcomes = [run["outcome"] for run in office.recorded(schedule_id)]
    assert outcomes == ["submitted"] * 6 + ["refused"]
    assert office.row(schedule_id)["paused_code"] == "failed_too_often"


def test_who_has_not_been_here_for_long_runs_nothing(office: Office) -> None:
    schedule_id = office.plan("0 8 1 * *")
    office.turn(MONDAY + timedelta(days=120))

    office.runs().run_due()

    assert office.row(schedule_id)["paused_code"] == "owner_not_seen"
    assert office.moments() == []


def test_who_was_revoked_runs_nothing_until_they_come_back(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    office.turn(SLOT)
    with write_transaction(office.engine) as connection:
        connection.execute(sa.text("UPDATE schedule_owner SET seen_at = '2020-01-01 00:00:00'"))
    office.change(schedule_id, due_at=SLOT)
    Revocations(office.engine).revoke(Subject(RevocationKind.USER, "acme", "ann"), SYSTEM)
    with write_transaction(office.engine) as connection:
        # Seen within the time that an owner may be away, and before the revocation.
        connection.execute(sa.text("UPDATE schedule_owner SET seen_at = '2026-05-31 00:00:00'"))
        connection.execute(sa.text("UPDATE revocation SET at = '2026-05-31 12:00:00'"))

    office.runs().run_due()
    assert office.row(schedule_id)["paused_code"] == "owner_revoked"

    office.see(ANN)
    office.schedules.resume(schedule_id, Viewer(ANN, ["orders"]), SYSTEM)
    office.see(ANN)
    office.change(schedule_id, next_slot=SLOT + WEEK, due_at=SLOT + WEEK)
    office.turn(SLOT + WEEK)
    office.runs().run_due()
    assert len(office.moments()) == 1


def test_a_shared_export_that_is_no_longer_shared_pauses_what_colleagues_made_of_it(
    office: Office,
) -> None:
    saved_id = office.save(ANN, shared=True)
    schedule_id = office.plan("0 8 * * 1", user=BOB, saved_id=saved_id)
    office.saved.update(Viewer(ANN, ["orders"]), saved_id, {"shared": False})
    office.turn(SLOT)

    office.runs().run_due()

    assert office.row(schedule_id)["paused_code"] == "saved_export_gone"


def test_a_deleted_export_takes_its_owners_schedules_along_and_pauses_others(
    office: Office,
) -> None:
    saved_id = office.save(ANN, shared=True)
    mine = office.plan("0 8 * * 1", user=ANN, saved_id=saved_id)
    others = office.plan("0 8 * * 1", user=BOB, saved_id=saved_id)
    office.turn(SLOT)
    office.runs().run_due()

    office.saved.delete(Viewer(ANN, ["orders"]), saved_id)

    assert office.recorded(mine) == []
    assert office.row(others)["paused_code"] == "saved_export_gone"
    assert office.notices() == [("", "saved_export_gone"), ("bob", "saved_export_gone")]


def test_each_run_has_a_link_whose_token_is_not_stored(office: Office) -> None:
    office.plan("0 8 * * 1", notify={"own_email": "ann@acme.example"})
    office.turn(SLOT)
    runs = office.runs()
    runs.run_due()
    with read_transaction(office.engine) as connection:
        link = connection.execute(sa.select(share_link)).mappings().one()

    token = runs._tokens.of(link["id"])

    assert ShareLinks(office.engine).find(BOB, token).sharer == ANN
    assert token not in repr(dict(link))


def test_run_now_is_beside_the_times_and_not_while_one_runs(office: Office) -> None:
    schedule_id = office.plan("0 8 * * 1")
    runs = office.runs()

    runs.run_now(schedule_id, SYSTEM)
    with pytest.raises(ScheduleBusy):
        runs.run_now(schedule_id, SYSTEM)

    assert office.row(schedule_id)["next_slot"] == SLOT
    assert [run["slot"] for run in office.recorded(schedule_id)] == [MONDAY]


def test_ten_thousand_due_at_once_are_worked_off_in_bounded_passes_by_the_index(
    office: Office,
) -> None:
    first = office.row(office.plan("0 8 * * 1"))
    many = [{**first, "id": uuid4()} for _ in range(9_999)]
    with write_transaction(office.engine) as connection:
        connection.execute(sa.insert(schedule), many)
    with office.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    office.turn(SLOT)
    runs = office.runs()

    assert [runs.run_due() for _ in range(3)] == [BATCH] * 3

    assert len(office.moments()) == 3 * BATCH
    with read_transaction(office.engine) as connection:
        query = due(SLOT).limit(BATCH).compile(connection, compile_kwargs={"literal_binds": True})
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        plan = "\n".join(map(str, connection.execute(sa.text(f"{word} {query}")).all()))
    assert "ix_schedule_due" in plan
