"""Dead letters on both databases: recorded once, replayed at most once."""

from __future__ import annotations

import threading

import pytest

from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from waybill.infra.broker.port import WakeUp
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.dead_letters import DeadLetterNotFound, DeadLetters
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope
from waybill.infra.tasks.states import TaskStatus

OPERATOR = Actor.command_line("operator")


def failed_task(engine):
    return failed_task_of(engine, "orders")


def failed_task_of(engine, task_type: str):
    task = TaskRequests(engine).submit(ANN, new_task(task_type=task_type)).task
    runs = Worker(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="x", message="y", retry_in=None)
    body = WakeUp(task.id, 2, "dead").encode()
    letters = DeadLetters(engine)
    assert letters.record(body, "orders", "x: y")
    letter = letters.list(ALL_TENANTS)[0]
    return task, letter, letters


def test_a_letter_is_recorded_once_however_often_its_message_comes(engine):
    letters = DeadLetters(engine)
    assert letters.record(b"\x00garbage\xff", "orders", "bad_message")
    assert not letters.record(b"\x00garbage\xff", "orders", "bad_message")
    (letter,) = letters.list(ALL_TENANTS)
    assert (letter.queue, letter.reason, letter.task_id) == ("orders", "bad_message", None)
    assert "garbage" in letter.body


def test_a_letter_shows_the_task_it_speaks_of(engine):
    task, letter, _ = failed_task(engine)
    assert (letter.task_id, letter.task_status, letter.attempt) == (task.id, TaskStatus.FAILED, 1)


def test_replay_asks_again_in_the_owners_name(engine):
    task, letter, letters = failed_task(engine)
    replay = letters.replay(ALL_TENANTS, letter.id, OPERATOR)
    again = TaskRequests(engine).get(ANN, replay.task_id)
    assert replay.outcome == "replayed"
    assert (again.parent_id, again.status, again.params) == (
        task.id,
        TaskStatus.PENDING,
        task.params,
    )
    assert letters.list(ALL_TENANTS) == []
    assert letters.get(ALL_TENANTS, letter.id).replayed_by == "operator"


def test_r33_replay_pressed_by_many_at_once_makes_one_task(engine):
    _, letter, letters = failed_task(engine)
    outcomes: list[str] = []
    people = [
        threading.Thread(
            target=lambda: outcomes.append(letters.replay(ALL_TENANTS, letter.id, OPERATOR).outcome)
        )
        for _ in range(6)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(set(outcomes)) == ["already_replayed", "replayed"]
    assert outcomes.count("replayed") == 1
    assert TaskRequests(engine).page(ANN).total == 2


def test_r33_a_task_that_succeeded_meanwhile_is_left_alone(engine):
    task = TaskRequests(engine).submit(ANN, new_task()).task
    letters, runs = DeadLetters(engine), Worker(engine, LEASE)
    letters.record(WakeUp(task.id, 0).encode(), "orders", "delivery_limit")
    runs.finish(runs.claim(task.id, "w"), finished("k"))
    (letter,) = letters.list(ALL_TENANTS)
    assert letters.replay(ALL_TENANTS, letter.id, OPERATOR).outcome == "not_failed"
    assert TaskRequests(engine).page(ANN).total == 1


def test_garbage_cannot_be_replayed_and_an_unknown_letter_is_not_there(engine):
    letters = DeadLetters(engine)
    letters.record(b"garbage", "orders", "bad_message")
    (letter,) = letters.list(ALL_TENANTS)
    assert letters.replay(ALL_TENANTS, letter.id, OPERATOR).outcome == "no_task"
    with pytest.raises(DeadLetterNotFound):
        letters.replay(ALL_TENANTS, letter.id + 1, OPERATOR)


def test_a_dismissed_letter_is_closed_with_its_note_and_runs_nothing(engine):
    task, letter, letters = failed_task(engine)

    dismissed = letters.dismiss(ALL_TENANTS, letter.id, OPERATOR, "A test of ours.")
    again = letters.dismiss(ALL_TENANTS, letter.id, Actor.command_line("other"), "Another note.")

    assert (dismissed.dismissed_by, dismissed.dismiss_note) == ("operator", "A test of ours.")
    assert again == dismissed
    assert (letters.list(ALL_TENANTS), letters.count_open()) == ([], 0)
    assert letters.list(ALL_TENANTS, open_only=False) == [dismissed]
    assert TaskRequests(engine).page(ANN).total == 1
    [entry] = AdminQueries(engine).audit(ALL_TENANTS, action="dismiss")
    assert (entry.task_id, entry.tenant_id, entry.detail) == (
        task.id, ANN.tenant, {"dead_letter": letter.id, "note": "A test of ours."}
    )  # fmt: skip


def test_a_dismissed_letter_can_still_be_replayed_and_a_replayed_one_not_dismissed(engine):
    _, letter, letters = failed_task(engine)
    letters.dismiss(ALL_TENANTS, letter.id, OPERATOR, "Later.")
    assert letters.replay(ALL_TENANTS, letter.id, OPERATOR).outcome == "replayed"

    _, other, _ = failed_task_of(engine, "users")
    letters.replay(ALL_TENANTS, other.id, OPERATOR)
    assert letters.dismiss(ALL_TENANTS, other.id, OPERATOR, "No.").dismissed_at is None


def test_letters_of_one_reason_and_of_one_tenant(engine):
    _, letter, letters = failed_task(engine)
    letters.record(b"garbage", "orders", "bad_message")

    assert [item.id for item in letters.list(ALL_TENANTS, reason="x: y")] == [letter.id]
    with pytest.raises(DeadLetterNotFound):
        letters.dismiss(Scope("elsewhere"), letter.id, OPERATOR, "Not mine.")
    assert letters.get(ALL_TENANTS, letter.id).dismissed_at is None
