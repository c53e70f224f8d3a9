"""How often one mailbox and one host hear from us, and who has opted out: on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.notification_rows import (
    DELIVERED,
    FAILED,
    RETRY_DELAYS,
    STRANGER,
    URL,
    ended,
    make_due,
    move,
    rows,
    submitted,
)
from tests.support.task_store import ANN
from tests.support.token_buckets import pass_time
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import notification
from waybill.infra.db.token_buckets import Rate
from waybill.infra.notifications.opt_outs import BadOptOutLink, MailOptOuts
from waybill.infra.notifications.queue import DueNotification, NotificationQueue
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.notifications import EMAIL, OWN_EMAIL, WEBHOOK, receiver_bucket

HOUR = timedelta(hours=1)
CEO = "ceo@corp.example"


def queue_of(engine: Engine, mails: int = 3, webhooks: int = 3) -> NotificationQueue:
    rates = {EMAIL: Rate(mails, HOUR), WEBHOOK: Rate(webhooks)}
    return NotificationQueue(engine, RETRY_DELAYS, rates)


def send_all(queue: NotificationQueue) -> list[DueNotification]:
    """Deliver everything that may go now."""
    sent = []
    while items := queue.take(16, per_tenant=4):
        for item in items:
            queue.record(item, DELIVERED)
        sent += items
    return sent


def waiting(engine: Engine) -> int:
    open_ones = (notification.c.delivered_at.is_(None), notification.c.given_up_at.is_(None))
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).where(*open_ones)).scalar_one()


def end_many(engine: Engine, count: int, **notify: str) -> None:
    for _ in range(count):
        ended(engine, notify)


def test_r40_forty_mails_to_a_stranger_are_three_and_nobody_is_forgotten(engine):
    end_many(engine, 40, email=CEO)
    queue = queue_of(engine)
    sent = send_all(queue)
    assert [len(mail.merged) for mail in sent] == [0, 0, 37]
    assert waiting(engine) == 0
    # Further ones wait for the next token, and are one mail then.
    end_many(engine, 5, email=CEO)
    assert send_all(queue) == []
    pass_time(engine, HOUR / 3)
    assert [len(mail.merged) for mail in send_all(queue)] == [4]
    assert waiting(engine) == 0


def test_r40_other_spellings_of_a_mailbox_are_the_same_mailbox(engine):
    for number in range(4):
        ended(engine, {"email": f"{'Ceo' if number % 2 else 'ceo'}+{number}@Corp.example"})
    ended(engine, {"email": "cfo@corp.example"})
    assert sorted(len(mail.merged) for mail in send_all(queue_of(engine, mails=1))) == [0, 3]


def test_r40_mails_of_two_tenants_or_to_owner_and_others_are_never_one(engine):
    ended(engine, {"email": CEO})
    ended(engine, {"email": CEO}, STRANGER)
    ended(engine, {OWN_EMAIL: CEO})
    queue, sent = queue_of(engine, mails=1), []
    for _ in range(3):
        sent += send_all(queue)
        pass_time(engine, HOUR)
    assert [mail.merged for mail in sent] == [(), (), ()]
    assert sorted((mail.tenant_id, mail.to_owner) for mail in sent) == [
        ("acme", False),
        ("acme", True),
        ("other-tenant", False),
    ]


def test_r40_what_was_merged_shares_the_result_and_is_tried_again(engine):
    end_many(engine, 5, email=CEO)
    queue = queue_of(engine, mails=1)
    for attempt in (1, 2):
        (mail,) = queue.take(16, per_tenant=16)
        assert (len(mail.merged), mail.attempt) == (4, attempt)
        assert not queue.record(mail, FAILED)
        assert waiting(engine) == 5
        make_due(engine)
        pass_time(engine, HOUR)
    (mail,) = queue.take(16, per_tenant=16)
    assert queue.record(mail, FAILED)
    with read_transaction(engine) as connection:
        query = sa.select(notification.c.last_error, sa.func.count())
        mails = query.where(notification.c.channel == EMAIL).group_by(notification.c.last_error)
        assert connection.execute(mails).all() == [("http_status", 5)]
    assert waiting(engine) == 0


def test_r40_webhooks_beyond_the_rate_of_a_host_wait_and_all_arrive(engine):
    end_many(engine, 7, webhook="https://HOOKS.example:8443/a")
    end_many(engine, 1, webhook="https://other.example/b")
    queue, sent = queue_of(engine), []
    first = send_all(queue)
    assert len(first) == 4
    assert waiting(engine) == 4
    sent += first
    for left in (3, 2, 1, 0):
        assert send_all(queue) == []
        pass_time(engine, timedelta(seconds=20))
        sent += send_all(queue)
        assert waiting(engine) == left
    assert len({item.id for item in sent}) == 8
    assert {item.attempt for item in sent} == {1}


def test_r40_a_repeated_webhook_counts_like_a_new_one(engine):
    end_many(engine, 1, webhook=URL)
    queue = queue_of(engine, webhooks=1)
    (item,) = queue.take(16, per_tenant=16)
    queue.record(item, FAILED)
    make_due(engine)
    assert queue.take(16, per_tenant=16) == []
    pass_time(engine, timedelta(minutes=1))
    assert [again.attempt for again in queue.take(16, per_tenant=16)] == [2]


def test_r40_what_waits_for_a_day_is_given_up_with_its_reason(engine):
    end_many(engine, 2, webhook=URL)
    queue = queue_of(engine, webhooks=1)
    (item,) = queue.take(16, per_tenant=16)
    move(engine, available_at=datetime.now(UTC) - timedelta(hours=25))
    assert queue.take(16, per_tenant=16) == []
    queue.record(item, DELIVERED)
    with read_transaction(engine) as connection:
        query = sa.select(notification.c.last_error, notification.c.given_up_at.is_not(None))
        found = connection.execute(query.where(notification.c.channel == WEBHOOK)).all()
    assert sorted(map(tuple, found), key=str) == [("too_many", True), (None, False)]


def test_old_rows_and_missing_rates_are_not_held_up(engine):
    end_many(engine, 5, webhook=URL, email=CEO)
    move(engine, bucket=None)
    assert len(send_all(queue_of(engine, 1, 1))) == 10
    end_many(engine, 5, webhook=URL, email=CEO)
    assert len(send_all(queue_of(engine, 0, 0))) == 10
    end_many(engine, 5, webhook=URL, email=CEO)
    assert len(send_all(NotificationQueue(engine, RETRY_DELAYS))) == 10


@pytest.mark.slow
def test_r40_workers_together_pass_no_bucket(engine):
    end_many(engine, 12, webhook=URL)
    end_many(engine, 12, email=CEO)
    sent: list[DueNotification] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        queue = queue_of(engine, mails=5, webhooks=5)
        barrier.wait()
        sent.extend(send_all(queue))

    began = datetime.now(UTC)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    more = int((datetime.now(UTC) - began) / timedelta(seconds=12)) + 1
    hooks = [item for item in sent if item.channel == WEBHOOK]
    mails = [item for item in sent if item.channel == EMAIL]
    assert 5 <= len(hooks) <= 5 + more
    assert len(mails) == 5
    told = [item.id for mail in mails for item in (mail, *mail.merged)]
    assert len(told) == len(set(told))
    assert waiting(engine) == 24 - len(hooks) - len(told)


def opted_out(engine: Engine, address: str) -> MailOptOuts:
    opt_outs = MailOptOuts(engine, "https://exports.example/waybill")
    link = opt_outs.link(address)
    assert link is not None
    assert link.startswith("https://exports.example/waybill/opt-out/")
    # Another process, which draws no secret of its own.
    other = MailOptOuts(engine)
    other.add(other.address(link.rpartition("/")[2]))
    return opt_outs


def test_r40_a_mail_to_who_has_opted_out_since_is_not_sent_and_says_why(engine):
    task = ended(engine, {"email": "CEO+x@corp.example"})
    own = ended(engine, {OWN_EMAIL: CEO})
    other = ended(engine, {"email": "cfo@corp.example"})
    opt_outs = opted_out(engine, CEO)
    sent = send_all(queue_of(engine))
    assert {mail.task_id for mail in sent} == {own.id, other.id}
    row = rows(engine, task)["email"]
    assert (row["last_error"], row["given_up_at"] is None) == ("opted_out", False)
    opt_outs.remove(CEO)
    assert not opt_outs.contains(CEO)
    ended(engine, {"email": CEO})
    assert len(send_all(queue_of(engine))) == 1


def test_r40_no_link_is_made_for_another_mailbox(engine):
    opt_outs = MailOptOuts(engine, "https://exports.example")
    link = opt_outs.link(CEO)
    assert link == MailOptOuts(engine, "https://exports.example").link(CEO)
    assert "ceo" not in link
    token = link.rpartition("/")[2]
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    for bad in ("", "x", token[:-2], changed, token + "A", "é" * 20, "A" * 100_000, "%", "=" * 9):
        with pytest.raises(BadOptOutLink):
            opt_outs.address(bad)
    assert opt_outs.address(token) == CEO
    assert MailOptOuts(engine).link(CEO) is None
    longest = "x" * 64 + "@" + ".".join(["y" * 61] * 3) + ".zz"
    assert opt_outs.address(opt_outs.link(longest).rpartition("/")[2]) == longest


def test_r40_a_cancelled_export_owes_nobody_a_mail(engine):
    for notify in ({"email": CEO}, {OWN_EMAIL: CEO}):
        task = submitted(engine, notify={**notify, "webhook": URL})
        TaskRequests(engine).cancel(ANN, task.id)
        assert set(rows(engine, task)) == {"notice", "webhook"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://hooks.example/a", "https://hooks.example:8443/sealed.v1.abc"),
        ("https://[2001:db8::1]/a", "https://[2001:DB8:0:0::0001]/b"),
    ],
)
def test_a_host_has_one_bucket_however_its_url_is_written(first: str, second: str) -> None:
    def key(url: str) -> Any:
        return receiver_bucket(WEBHOOK, url)

    assert key(first) == key(second) != key("https://hooks.example.evil/a")
