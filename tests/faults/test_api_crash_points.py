"""`kill -9` of the API, before and after its commit, and of the relay inside it (F1, F2, F4)."""

from __future__ import annotations

import contextlib

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.fault_bench import died, kill_at
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import outbox


@pytest.mark.parametrize("point", ["api.before_commit"])
def test_f1_an_api_that_dies_before_its_commit_has_accepted_nothing(clean, point):
    with clean.api(**kill_at(point)) as doomed:
        with pytest.raises(httpx2.TransportError):
            clean.submit("numbers", key="f1")
        died(doomed)
    assert clean.rows() == []
    with clean.api(), clean.worker():
        clean.ended(clean.submit("numbers", key="f1"))
    assert len(clean.rows()) == 1
    clean.audit()


@pytest.mark.parametrize("point", ["api.after_commit"])
def test_f2_an_api_that_dies_after_its_commit_has_made_one_task(clean, point):
    with clean.api(**kill_at(point)) as doomed:
        with pytest.raises(httpx2.TransportError):
            clean.submit("numbers", key="f2")
        died(doomed)
    (task,) = clean.rows()
    # Nobody was told of it. It runs all the same, and asking again answers with it.
    with clean.worker():
        clean.ended(str(task["id"]))
    with clean.api():
        assert clean.submit("numbers", key="f2") == str(task["id"])
    clean.audit()


@pytest.mark.parametrize("point", ["relay.after_ack"])
def test_f4_a_relay_that_dies_before_marking_publishes_twice_and_one_claim_wins(clean, point):
    with clean.api(**kill_at(point)) as doomed:
        # The answer and the relay race; the task is there either way.
        with contextlib.suppress(httpx2.TransportError):
            clean.submit("numbers")
        died(doomed)
    (task,) = clean.rows()
    with clean.worker():
        clean.ended(str(task["id"]))
        # The dead relay had taken the wake-up for 30 s; this is what comes after them.
        clean.execute(sa.update(outbox).values(claimed_until=None))
        wait_for(lambda: everything_is_published(clean))
    assert clean.actions(str(task["id"])).count("claim") == 1
    clean.audit()


def everything_is_published(bench) -> bool:
    with read_transaction(bench.engine) as connection:
        waiting = sa.select(sa.func.count()).where(outbox.c.published_at.is_(None))
        return connection.execute(waiting.select_from(outbox)).scalar_one() == 0
