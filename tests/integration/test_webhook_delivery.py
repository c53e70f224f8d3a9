"""The delivery loop over real connections: retries, giving up, many at once, fair shares."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from standardwebhooks import Webhook

from tests.support.eventually import eventually
from tests.support.servers.webhook_receiver import Receiver, hang, hang_up
from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from tests.support.task_tables import sqlite_tables
from tests.support.token_buckets import pass_time
from waybill.infra.config.logs import JsonLines
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import notification
from waybill.infra.db.token_buckets import Rate
from waybill.infra.notifications.delivery import Deliverer
from waybill.infra.notifications.queue import NotificationQueue
from waybill.infra.notifications.signing import Signer
from waybill.infra.notifications.stored_targets import StoredTargets
from waybill.infra.notifications.webhook_targets import TargetRules
from waybill.infra.notifications.webhooks import WebhookSender
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.notifications import WEBHOOK

KEY = b"some key of thirty-two bytes, ok"
SIGNER = Signer([KEY])
STORED = StoredTargets([KEY])
LOCAL = TargetRules(allow_private=True)


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path) as engine:
        yield engine


def end_tasks(engine: Engine, url: str, count: int = 1) -> list[UUID]:
    store, runs, ids = TaskRequests(engine), Worker(engine, LEASE), []
    for number in range(count):
        new = new_task(params={"n": number}, notify=STORED.seal({"webhook": url}))
        task = store.submit(ANN, new).task
        assert runs.finish(runs.claim(task.id, "w"), finished(f"key-{task.id}"))
        ids.append(task.id)
    return ids


def log_of(engine: Engine) -> list[sa.RowMapping]:
    with read_transaction(engine) as connection:
        query = sa.select(notification).where(notification.c.channel == "webhook")
        return list(connection.execute(query).mappings())


def arrived_at_least(engine: Engine, count: int) -> bool:
    return sum(row["delivered_at"] is not None for row in log_of(engine)) >= count


def nothing_is_due(engine: Engine) -> bool:
    """Whether no message is left to try, now or later."""
    with write_transaction(engine) as connection:
        connection.execute(sa.update(notification).values(available_at=LONG_AGO))
    return not NotificationQueue(engine, []).take(1, per_tenant=1)


@asynccontextmanager
async def delivering(
    engine: Engine, threads: ThreadPoolExecutor, *delays: float, **options: Any
) -> AsyncIterator[None]:
    rates = options.pop("rates", None)
    queue = NotificationQueue(engine, [timedelta(seconds=delay) for delay in delays], rates)
    sender = WebhookSender(options.pop("signer", SIGNER), LOCAL, threads, **options)
    running = asyncio.create_task(Deliverer(queue, {"webhook": sender}).run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_receiver_that_is_down_is_tried_again_until_it_answers(receiver, engine, threads):
    receiver.script.extend([500, 503, hang_up])
    end_tasks(engine, receiver.url())
    async with delivering(engine, threads, 0.1, 0.2, 0.3, 0.4):
        (row,) = await eventually(
            lambda: [row for row in log_of(engine) if row["delivered_at"]], within_seconds=15
        )
    assert row["attempts"] == len(receiver.requests) == 4
    assert (row["last_status"], row["last_error"]) == (204, None)
    # The same message each time, whose signature is fresh.
    assert len({item.headers["webhook-id"] for item in receiver.requests}) == 1
    assert len({item.body for item in receiver.requests}) == 1
    (secret,) = SIGNER.secrets_of(ANN.tenant)
    for item in receiver.requests:
        assert Webhook(secret).verify(item.body, item.headers)["type"] == "export.succeeded"


async def test_after_the_last_retry_it_is_given_up_and_on_record(receiver, engine, threads, caplog):
    receiver.always = 500
    end_tasks(engine, receiver.url())
    with caplog.at_level(logging.INFO):
        async with delivering(engine, threads, 0.05, 0.05):
            (row,) = await eventually(
                lambda: [row for row in log_of(engine) if row["given_up_at"]], within_seconds=15
            )
    assert nothing_is_due(engine)
    assert len(receiver.requests) == row["attempts"] == 3
    assert (row["last_status"], row["last_error"]) == (500, "http_status")
    assert [getattr(record, "given_up", False) for record in caplog.records][-1]


async def test_a_receiver_that_wants_no_more_gets_no_more(receiver, engine, threads):
    receiver.always = 410
    end_tasks(engine, receiver.url())
    async with delivering(engine, threads, 0.05, 0.05):
        await eventually(lambda: log_of(engine)[0]["given_up_at"], within_seconds=15)
    assert nothing_is_due(engine)
    assert len(receiver.requests) == 1


async def test_a_webhook_stored_under_a_replaced_secret_is_given_up(receiver, engine, threads):
    end_tasks(engine, receiver.url())
    async with delivering(engine, threads, 5, signer=Signer([b"another key of thirty-two bytes!"])):
        (row,) = await eventually(
            lambda: [row for row in log_of(engine) if row["given_up_at"]], within_seconds=15
        )
    assert (row["attempts"], row["last_error"]) == (1, "secret_replaced")
    assert receiver.requests == []


async def test_two_hundred_ends_at_once_are_told_once_each_by_two_workers(
    receiver, engine, threads
):
    tasks = end_tasks(engine, receiver.url(), 200)
    async with delivering(engine, threads, 5), delivering(engine, threads, 5):
        await eventually(
            lambda: all(row["delivered_at"] for row in log_of(engine)), within_seconds=60
        )
    delivered = [json.loads(item.body)["data"]["task_id"] for item in receiver.requests]
    assert sorted(delivered) == sorted(str(task) for task in tasks)


async def test_r40_a_flood_of_webhooks_reaches_its_host_at_the_rate_and_nothing_is_lost(
    receiver, engine, threads
):
    tasks = end_tasks(engine, receiver.url(), 12)
    rates = {WEBHOOK: Rate(5, timedelta(hours=1))}
    async with (
        delivering(engine, threads, 5, rates=rates),
        delivering(engine, threads, 5, rates=rates),
    ):
        for arrived in (5, 10, 12):
            await eventually(partial(arrived_at_least, engine, arrived))
            assert len(receiver.requests) == arrived
            pass_time(engine, timedelta(hours=1))
    told = [json.loads(item.body)["data"]["task_id"] for item in receiver.requests]
    assert sorted(told) == sorted(str(task) for task in tasks)


async def test_a_receiver_that_hangs_leaves_room_for_the_others(receiver, engine, threads):
    with Receiver() as slow:
        slow.always = hang
        end_tasks(engine, slow.url(), 6)
        store, runs = TaskRequests(engine), Worker(engine, LEASE)
        other = replace(ANN, tenant="other")
        task = store.submit(other, new_task(notify={"webhook": receiver.url()})).task
        runs.finish(runs.claim(task.id, "w"), finished("key"))
        async with delivering(engine, threads, 5):
            # The six tries of the other tenant would take a whole deadline of fifteen seconds.
            await eventually(lambda: receiver.requests, within_seconds=10)
            await eventually(lambda: len(slow.requests) >= 4, within_seconds=10)
            assert len(slow.requests) == 4
            slow.closing.set()


async def test_what_is_on_its_way_at_the_end_of_a_worker_arrives(receiver, engine, threads):
    def answer_late(handler: Any) -> None:
        handler.server.receiver.closing.wait(0.5)
        handler.reply(204)

    receiver.always = answer_late
    end_tasks(engine, receiver.url())
    async with delivering(engine, threads, 5):
        await eventually(lambda: receiver.requests)
    assert log_of(engine)[0]["delivered_at"] is not None


async def test_no_log_line_holds_a_path_a_query_or_a_secret(receiver, engine, threads, caplog):
    receiver.script.extend([500, hang_up])
    end_tasks(engine, receiver.url("/services/canary-7c1f?token=canary-7c1f"))
    with caplog.at_level(logging.DEBUG, logger="waybill"):
        async with delivering(engine, threads, 0.05, 0.05):
            await eventually(lambda: log_of(engine)[0]["delivered_at"], within_seconds=15)
    lines = [JsonLines().format(record) for record in caplog.records]
    assert any(f'"to": "http://127.0.0.1:{receiver.port}/' in line for line in lines)
    secrets = [*SIGNER.secrets_of("acme"), KEY.decode(), "canary", "v1,"]
    assert [line for line in lines for secret in secrets if secret in line] == []
    assert "canary" not in str(log_of(engine)[0]["last_error"])
