"""Single flight on both databases: who joins whom, and what the end of a leader means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.single_flight import CID, ELSEWHERE, PEOPLE, all_at_once, wake_ups
from tests.support.task_store import ANN, BOB, finished, new_task, progress_of
from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks.states import TaskStatus


def test_an_equal_request_of_a_colleague_waits_for_the_running_one(desk, engine):
    leader, follower = desk.task(ANN), desk.ask(BOB)
    assert not follower.deduplicated
    assert (follower.task.joined_id, follower.task.status) == (leader.id, TaskStatus.PENDING)
    assert desk.actions(follower.task) == ["join"]
    assert wake_ups(engine) == [(leader.id, "run")]


def test_a_follower_is_never_claimed_woken_or_rescued(desk, engine):
    leader, follower = desk.task(ANN), desk.task(BOB)
    wake_ups(engine)
    desk.change(follower, updated_at=datetime.now(UTC) - timedelta(days=1))
    assert desk.runs.claim(follower.id, "w") is None
    assert desk.runs.claim_next("orders", "w").task.id == leader.id
    assert desk.runs.claim_next("orders", "w") is None
    assert desk.maintenance.republish_overdue(timedelta(0)) == 0
    assert desk.maintenance.rescue_expired_leases(timedelta(0)) == 0


def test_a_follower_sees_the_progress_of_its_leader_and_a_new_etag(desk):
    leader, follower = desk.task(ANN), desk.task(BOB)
    claim = desk.runs.claim(leader.id, "w")
    desk.runs.heartbeat(claim, progress_of(7, 10))
    seen = desk.seen(follower, BOB)
    assert (seen.rows_done, seen.rows_total, seen.status) == (7, 10, TaskStatus.PENDING)
    assert seen.version > follower.version


def test_the_file_of_the_leader_is_the_followers_file(desk):
    leader, same = desk.task(ANN), desk.task(BOB)
    other = desk.task(CID, filename="mine.xlsx", asked_filename="mine")
    desk.finish(leader)
    made = desk.seen(leader, ANN)
    for task, user in ((same, BOB), (other, CID)):
        got = desk.seen(task, user)
        assert got.status == TaskStatus.SUCCESS
        for fact in ("object_key", "sha256", "size_bytes", "rows_written", "snapshot_at"):
            assert getattr(got, fact) == getattr(made, fact)
        assert (got.expires_at, got.warnings) == (made.expires_at, made.warnings)
        assert (got.attempt, got.joined_id, got.filename) == (0, leader.id, task.filename)
        assert desk.actions(task) == ["join", "share"]
    # A recorded link names the file; another name needs another link.
    assert desk.seen(same, BOB).download_url == made.download_url
    assert desk.seen(other, CID).download_url is None


@pytest.mark.parametrize("change", [{"user": ELSEWHERE}, {"user": BOB, "key": "narrower"}])
def test_another_tenant_and_another_query_share_nothing(desk, change):
    leader, apart = desk.task(ANN), desk.task(**change)
    assert apart.joined_id is None
    desk.finish(leader)
    again = desk.task(**change, reuse=timedelta(days=1), params={"other": 1})
    assert again.status == TaskStatus.PENDING
    assert again.joined_id == apart.id


def test_without_a_flight_nothing_is_shared(desk):
    desk.task(ANN)
    assert desk.requests.submit(BOB, new_task()).task.joined_id is None


def test_the_users_own_live_task_comes_first(desk):
    desk.task(ANN)
    follower = desk.task(BOB)
    again = desk.ask(BOB)
    assert (again.task.id, again.deduplicated) == (follower.id, True)


def test_an_idempotency_key_comes_first_of_all(desk):
    first = desk.task(BOB, idempotency_key="once")
    desk.requests.cancel(BOB, first.id)
    desk.task(ANN)
    again = desk.ask(BOB, idempotency_key="once", reuse=timedelta(days=1))
    assert (again.task.id, again.deduplicated) == (first.id, True)


@pytest.mark.parametrize("running", [True, False])
def test_when_the_leader_is_cancelled_the_oldest_follower_leads_the_others(desk, engine, running):
    leader, oldest, other = desk.task(ANN), desk.task(BOB), desk.task(CID)
    wake_ups(engine)
    if running:
        claim = desk.runs.claim(leader.id, "w")
        desk.runs.heartbeat(claim, progress_of(7, 10))
        desk.requests.cancel(ANN, leader.id)
        assert desk.seen(oldest, BOB).joined_id == leader.id, "the worker has not stopped yet"
        desk.runs.fail(claim, code="cancelled", message="c", retry_in=None)
    else:
        desk.requests.cancel(ANN, leader.id)
    assert desk.seen(oldest, BOB).joined_id is None
    assert desk.seen(oldest, BOB).rows_done == 0
    assert desk.seen(other, CID).joined_id == oldest.id
    assert wake_ups(engine) == [(oldest.id, "lead")]
    desk.finish(oldest)
    assert desk.seen(other, CID).object_key == desk.seen(oldest, BOB).object_key == "object"


def test_when_the_leader_fails_its_followers_go_on(desk):
    leader, follower = desk.task(ANN), desk.task(BOB)
    claim = desk.runs.claim(leader.id, "w")
    desk.runs.fail(claim, code="x", message="y", retry_in=None)
    assert desk.seen(leader, ANN).status == TaskStatus.FAILED
    assert desk.runs.claim_next("orders", "w").task.id == follower.id


def test_a_leader_that_waits_for_its_next_attempt_keeps_its_followers(desk):
    leader, follower = desk.task(ANN), desk.task(BOB)
    claim = desk.runs.claim(leader.id, "w")
    desk.runs.fail(claim, code="x", message="y", retry_in=timedelta(0))
    assert desk.seen(follower, BOB).joined_id == leader.id


def test_a_follower_is_cancelled_by_itself(desk):
    leader, follower = desk.task(ANN), desk.task(BOB)
    assert desk.requests.cancel(BOB, follower.id).status == TaskStatus.CANCELLED
    desk.finish(leader)
    assert desk.seen(follower, BOB).status == TaskStatus.CANCELLED
    assert desk.seen(follower, BOB).object_key is None


def test_a_file_made_by_another_query_than_was_asked_for_is_not_handed_on(desk, engine):
    """The rights of the leader have grown between the request and the run."""
    leader, *others = desk.task(ANN), desk.task(BOB), desk.task(CID)
    wake_ups(engine)
    desk.finish(leader, flight_key="wider")
    assert desk.seen(leader, ANN).status == TaskStatus.SUCCESS
    # Nothing tells that the two may still share with each other.
    for task, user in zip(others, (BOB, CID), strict=True):
        seen = desk.seen(task, user)
        assert (seen.status, seen.joined_id, seen.flight_key) == (TaskStatus.PENDING, None, None)
    assert wake_ups(engine) == [(task.id, "lead") for task in others]


def test_the_sweeper_finds_followers_whose_leader_is_gone(desk, engine):
    leader, oldest, other = desk.task(ANN), desk.task(BOB), desk.task(CID)
    wake_ups(engine)
    # As no code of ours leaves it.
    desk.change(leader, status="CANCELLED")
    newcomer = desk.task(ELSEWHERE)
    assert newcomer.joined_id is None
    assert desk.maintenance.promote_orphaned_followers() == 1
    assert desk.maintenance.promote_orphaned_followers() == 0
    assert desk.seen(other, CID).joined_id == oldest.id
    assert (oldest.id, "lead") in wake_ups(engine)


def test_strays_join_the_leader_that_came_after_theirs(desk):
    leader, stray = desk.task(ANN), desk.task(BOB)
    desk.change(leader, status="CANCELLED")
    newcomer = desk.task(CID)
    assert newcomer.joined_id is None
    desk.maintenance.promote_orphaned_followers()
    assert desk.seen(stray, BOB).joined_id == newcomer.id


def test_thirty_equal_requests_of_one_tenant_at_once_make_one_run(desk):
    """And those of another tenant another one."""
    strangers = [Principal(user.user, "other") for user in PEOPLE[:5]]
    asked = [*PEOPLE, *strangers]
    tasks = all_at_once(*(lambda user=user: desk.task(user) for user in asked))
    seen = [desk.seen(task, user) for task, user in zip(tasks, asked, strict=True)]
    (leader,) = [task for task in seen[:30] if task.joined_id is None]
    (apart,) = [task for task in seen[30:] if task.joined_id is None]
    assert {task.joined_id for task in seen[:30]} == {None, leader.id}
    assert {task.joined_id for task in seen[30:]} == {None, apart.id}
    desk.finish(leader, "ours")
    desk.finish(apart, "theirs")
    files = [desk.seen(task, user).object_key for task, user in zip(tasks, asked, strict=True)]
    assert files == ["ours"] * 30 + ["theirs"] * 5


@pytest.mark.slow
@pytest.mark.parametrize("end", ["cancel", "finish", "fail"])
def test_nobody_who_joins_while_the_leader_ends_is_forgotten(desk, end):
    for number in range(5):
        key = f"{number}"
        leader = desk.task(ANN, key=key)
        claim = desk.runs.claim(leader.id, "w")

        def finish(claim=claim, key=key):
            desk.runs.reserve_object(claim, f"object-{key}")
            desk.runs.finish(claim, finished(f"object-{key}", flight_key=key))

        ends = {
            "cancel": lambda task=leader: desk.requests.cancel(ANN, task.id),
            "finish": finish,
            "fail": lambda held=claim: desk.runs.fail(held, code="x", message="y", retry_in=None),
        }
        # Another round asks for something else, or those who wait would get their own tasks.
        joiners = [
            lambda user=user, key=key: desk.task(user, key=key, params={"round": key})
            for user in PEOPLE[:8]
        ]
        tasks = all_at_once(ends[end], *joiners)[1:]
        if end == "cancel":
            desk.runs.fail(claim, code="cancelled", message="c", retry_in=None)
        assert desk.maintenance.promote_orphaned_followers() == 0
        seen = [desk.seen(task, user) for task, user in zip(tasks, PEOPLE[:8], strict=True)]
        waiting = [task for task in seen if task.status == TaskStatus.PENDING]
        leaders = [task for task in waiting if task.joined_id is None]
        assert len(leaders) == bool(waiting)
        assert {task.joined_id for task in waiting} <= {None, *(task.id for task in leaders)}
        assert {task.status for task in seen} <= {TaskStatus.PENDING, TaskStatus.SUCCESS}
