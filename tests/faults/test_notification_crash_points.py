"""`kill -9` of a worker around the end of a task (F21): its webhook arrives all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from tests.support.eventually import wait_for
from tests.support.fault_bench import TASKS, Bench, died, kill_at
from tests.support.processes import SECRET
from tests.support.servers.webhook_receiver import Receiver
from waybill.infra.config.settings import load
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import notification
from waybill.infra.notifications.rules import build_signer

LOCAL = {"WAYBILL_WEBHOOK_ALLOW_PRIVATE": "true"}
#: Where the worker dies, and how often the receiver hears of the end.
TOLD = {"w.after_success": 1, "notifications.after_send": 2}


def delivered(bench: Bench) -> sa.RowMapping | None:
    with read_transaction(bench.engine) as connection:
        query = sa.select(notification).where(
            notification.c.channel == "webhook", notification.c.delivered_at.is_not(None)
        )
        return connection.execute(query).mappings().one_or_none()


def test_the_claim_of_a_dead_worker_is_longer_than_any_attempt():
    from waybill.infra.notifications import mail, webhooks
    from waybill.infra.notifications.queue import CLAIM

    assert CLAIM.total_seconds() > max(mail.ATTEMPT_SECONDS, webhooks.ATTEMPT_SECONDS)


@pytest.fixture(scope="module")
def local_api(bench: Bench) -> Iterator[Bench]:
    """The bench with an API that allows receivers on this machine."""
    with bench.api(**LOCAL):
        yield bench


@pytest.mark.parametrize("point", TOLD)
def test_f21_a_worker_that_dies_here_loses_no_notification(
    local_api: Bench, clean: Bench, point: str
) -> None:
    with Receiver() as receiver:
        notify = {"webhook": receiver.url("/canary-7c1f?token=canary-7c1f")}
        with clean.worker(**LOCAL, **kill_at(point)) as doomed:
            body = {"type": "numbers", "format": "csv", "params": {"rows": 10}, "notify": notify}
            answer = clean.client.post(TASKS, json=body)
            assert answer.status_code == 202, answer.text
            clean.accepted.append(answer.json()["id"])
            died(doomed)
        assert delivered(clean) is None
        # As if the dead worker's claim had run out.
        past = datetime.now(UTC) - timedelta(seconds=1)
        clean.execute(
            sa.update(notification)
            .where(notification.c.claimed_until.is_not(None))
            .values(claimed_until=past)
        )
        with clean.worker(**LOCAL):
            row = wait_for(lambda: delivered(clean))
    assert row["attempts"] == len(receiver.requests) == TOLD[point]
    assert {item.headers["webhook-id"] for item in receiver.requests} == {f"msg_{row['id'].hex}"}
    (secret,) = build_signer(load(jwt_secret=SECRET)).secrets_of("acme")
    for item in receiver.requests:
        event = Webhook(secret).verify(item.body, item.headers)
        assert event["data"]["task_id"] == clean.accepted[-1]
    log = clean.log.read_text()
    assert "notification delivered" in log
    assert "canary-7c1f" not in log
    assert secret not in log
    clean.audit()
