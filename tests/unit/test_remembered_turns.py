"""Remembered turns: taken once each, for a second at most."""

from __future__ import annotations

from datetime import UTC, datetime

from waybill.infra.tasks.lifecycle.remembered_turns import RememberedTurns, Turn

ASKED_AT = datetime(2026, 11, 30, tzinfo=UTC)


def test_turns_are_taken_in_order_and_once():
    turns = RememberedTurns()
    turns.keep("orders", ["B", "A"], ASKED_AT)
    taken = [turns.next(queue) for queue in ("orders", "other", "orders", "orders")]
    assert taken == [Turn("B", ASKED_AT), None, Turn("A", ASKED_AT), None]


def test_turns_are_not_used_after_a_second():
    now = 0.0
    turns = RememberedTurns(clock=lambda: now)
    turns.keep("orders", ["A", "B"], ASKED_AT)
    now = 0.9
    assert turns.next("orders") == Turn("A", ASKED_AT)
    now = 1.1
    assert turns.next("orders") is None


def test_a_newer_order_takes_the_place_of_an_older_one():
    turns = RememberedTurns()
    turns.keep("orders", ["A", "B"], ASKED_AT)
    turns.keep("orders", ["C"], ASKED_AT)
    assert [turns.next("orders"), turns.next("orders")] == [Turn("C", ASKED_AT), None]


def test_what_is_forgotten_is_not_taken():
    turns = RememberedTurns()
    turns.keep("orders", ["A"], ASKED_AT)
    turns.forget("orders")
    assert turns.next("orders") is None
