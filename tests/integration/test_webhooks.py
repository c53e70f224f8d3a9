"""Webhooks over real connections: signed, pinned to the checked address, tried again (F53, F54)."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from standardwebhooks import Webhook

from infra.database import create_engine, reading
from infra.migrate import upgrade
from infra.notices.delivery import Deliverer
from infra.notices.signing import Signer
from infra.notices.targets import TargetRules, system_resolve
from infra.notices.webhooks import WebhookSender
from infra.tasks.notice_queue import NoticeQueue, Outcome, Owed
from infra.tasks.requests import TaskRequests
from infra.tasks.runs import TaskRuns
from infra.tasks.schema_notices import notification
from infra.telemetry import JsonLines
from tests.contract.task_store import ANN, LEASE, finished, new_task
from tests.eventually import eventually
from tests.servers.certificates import self_signed
from tests.servers.ports import free_ports
from tests.servers.webhook_receiver import (
    Receiver,
    drip,
    flood,
    hang,
    hang_up,
    redirect_to,
)

OLD, NEW = b"old key of thirty-two bytes, say", b"new key of thirty-two bytes, say"
SIGNER = Signer([NEW])
LOCAL = TargetRules(allow_private=True)
HOST = "hooks.example"
DATA = {"status": "FAILED", "type": "orders", "filename": "o.csv", "code": "broken", "message": "?"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def send(threads: ThreadPoolExecutor) -> Callable[..., Any]:
    """Send one webhook to a URL; its outcome."""

    async def once(url: str, **options: Any) -> Outcome:
        rules = options.pop("rules", LOCAL)
        signer = options.pop("signer", SIGNER)
        item = options.pop("item", None) or owed(url)
        return await WebhookSender(signer, rules, threads, **options).send(item)

    return once


def owed(url: str) -> Owed:
    return Owed(
        id=uuid4(),
        task_id=uuid4(),
        tenant_id="acme",
        channel="webhook",
        event="export.failed",
        target=url,
        detail=DATA,
        created_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        attempt=1,
    )


def verify(receiver: Receiver, signer: Signer = SIGNER, which: int = -1) -> Any:
    request = receiver.requests[which]
    return Webhook(signer.secrets_of("acme")[0]).verify(request.body, request.headers)


async def test_standardwebhooks_verifies_what_a_receiver_gets(receiver, send):
    item = owed(receiver.url("/T0/x?token=1"))
    outcome = await send(item.target, item=item, public_url="https://exports.example")
    assert outcome == Outcome(delivered=True, status=204)
    (request,) = receiver.requests
    assert request.path == "/T0/x?token=1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == f"msg_{item.id.hex}"
    assert verify(receiver) == {
        "type": "export.failed",
        "timestamp": "2026-03-01T09:00:00Z",
        "data": {
            "task_id": str(item.task_id),
            "status": "FAILED",
            "code": "broken",
            "url": f"https://exports.example/api/export-tasks/{item.task_id}",
        },
    }


async def test_a_receiver_follows_a_rotation_with_the_secret_it_knows(receiver, send):
    before, during, after = Signer([OLD]), Signer([NEW, OLD]), Signer([NEW])
    for signer in (before, during, during, after):
        await send(receiver.url(), signer=signer)
    for which, knows in enumerate((before, before, after, after)):
        verify(receiver, knows, which)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (200, Outcome(delivered=True, status=200)),
        (299, Outcome(delivered=True, status=299)),
        (304, Outcome(delivered=False, status=304, error="redirect")),
        (400, Outcome(delivered=False, status=400, error="http_status")),
        (410, Outcome(delivered=False, status=410, error="gone", final=True)),
        (500, Outcome(delivered=False, status=500, error="http_status")),
        (hang_up, Outcome(delivered=False, error="connection_broken")),
    ],
)
async def test_f53_only_2xx_is_a_delivery(receiver, send, answer, outcome):
    receiver.script.append(answer)
    assert await send(receiver.url()) == outcome


@pytest.mark.parametrize("answer", [hang, drip])
async def test_f53_a_receiver_that_takes_its_time_is_cut_off(receiver, send, answer):
    receiver.script.append(answer)
    async with asyncio.timeout(5):
        outcome = await send(receiver.url(), seconds=0.4)
    assert outcome == Outcome(delivered=False, error="timeout")


async def test_f53_an_answer_without_an_end_is_not_read(receiver, send):
    receiver.script.append(flood)
    async with asyncio.timeout(5):
        assert (await send(receiver.url())).delivered


async def test_r24_a_redirect_to_the_inside_is_not_followed(receiver, send):
    with Receiver() as inside:
        receiver.script.append(redirect_to(inside.url("/latest/meta-data")))
        outcome = await send(receiver.url())
        assert (outcome.status, outcome.error) == (307, "redirect")
        assert inside.requests == []


async def test_nobody_listening_is_a_failed_connection(send):
    (port,) = free_ports(1)
    outcome = await send(f"http://127.0.0.1:{port}/")
    assert outcome == Outcome(delivered=False, error="connection_failed")


async def test_r22_an_address_that_has_become_private_is_refused_at_sending(receiver, send):
    for url in (receiver.url(), f"https://{HOST}/", "https://2130706433/"):
        outcome = await send(url, rules=TargetRules(), resolve=lambda host, port: ["127.0.0.1"])
        assert outcome == Outcome(delivered=False, error="address_refused")
    assert receiver.requests == []


async def test_r24_one_private_answer_refuses_all_at_sending_too(send):
    outcome = await send(
        f"https://{HOST}/", rules=TargetRules(), resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"]
    )
    assert outcome.error == "address_refused"


async def test_a_name_that_is_gone_is_tried_again_later(send):
    outcome = await send("http://nowhere.invalid/", resolve=system_resolve)
    assert outcome == Outcome(delivered=False, error="host_not_found")


async def test_a_name_server_that_hangs_holds_up_one_try_and_no_longer(send, threads):
    (release := asyncio.Event()).clear()
    loop = asyncio.get_running_loop()

    def slow(host: str, port: int) -> list[str]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
        return ["127.0.0.1"]

    assert (await send(f"http://{HOST}/", seconds=0.2, resolve=slow)).error == "timeout"
    release.set()


class Rebinding:
    """A name server that tells the truth once, and then sends people to somebody else."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return [self._answers.pop(0)]


async def test_f54_the_connection_goes_to_the_address_that_was_checked(tmp_path, send):
    certificate = self_signed(tmp_path, HOST)
    resolve = Rebinding("127.0.0.1", "10.0.0.7")
    with Receiver(certificate.server()) as receiver:
        outcome = await send(receiver.url(host=HOST), resolve=resolve, tls=certificate.client())
        assert outcome.delivered, outcome
        # Asked for once, so there is no second answer to be led astray by.
        assert resolve.asked == [HOST]
        assert receiver.names == [HOST]
        assert receiver.requests[0].headers["host"] == f"{HOST}:{receiver.port}"
        verify(receiver)


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_f53_a_certificate_of_another_name_is_refused(tmp_path, send, host):
    certificate = self_signed(tmp_path, HOST)
    with Receiver(certificate.server()) as receiver:
        outcome = await send(
            receiver.url(host=host),
            tls=certificate.client(),
            resolve=lambda host, port: ["127.0.0.1"],
        )
        assert outcome == Outcome(delivered=False, error="tls_failed")
        assert receiver.requests == []


async def test_f53_plain_text_where_tls_should_be_is_no_reason_to_step_down(receiver, send):
    outcome = await send(receiver.url().replace("http:", "https:"))
    assert outcome == Outcome(delivered=False, error="tls_failed")
    assert receiver.requests == []


async def test_an_unknown_authority_is_refused(tmp_path, send):
    certificate = self_signed(tmp_path, "127.0.0.1")
    with Receiver(certificate.server()) as receiver:
        outcome = await send(receiver.url(), tls=ssl.create_default_context())
        assert outcome.error == "tls_failed"


async def test_of_many_addresses_the_first_that_can_be_reached_is_used(receiver, send):
    url = receiver.url(host=HOST)
    # Nothing listens on the other addresses of this machine.
    outcome = await send(url, resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
    assert outcome.delivered
    assert len(receiver.requests) == 1


async def test_proxies_of_the_environment_are_not_used(receiver, send, monkeypatch):
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await send(receiver.url())).delivered
        assert proxy.requests == []


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/tasks.db")
    upgrade(engine)
    yield engine
    engine.dispose()


def end_tasks(engine: Engine, url: str, count: int = 1) -> list[UUID]:
    store, runs, ids = TaskRequests(engine), TaskRuns(engine, LEASE), []
    for number in range(count):
        new = new_task(params={"n": number}, notify={"webhook": url})
        task = store.submit(ANN, new).task
        assert runs.finish(runs.claim(task.id, "w"), finished(f"key-{task.id}"))
        ids.append(task.id)
    return ids


def log_of(engine: Engine) -> list[sa.RowMapping]:
    with reading(engine) as connection:
        query = sa.select(notification).where(notification.c.channel == "webhook")
        return list(connection.execute(query).mappings())


@asynccontextmanager
async def delivering(
    engine: Engine, threads: ThreadPoolExecutor, *delays: float, **options: Any
) -> AsyncIterator[None]:
    queue = NoticeQueue(engine, [timedelta(seconds=delay) for delay in delays])
    sender = WebhookSender(options.pop("signer", SIGNER), LOCAL, threads, **options)
    running = asyncio.create_task(Deliverer(queue, {"webhook": sender}).run())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_receiver_that_is_down_is_tried_along_the_ladder(receiver, engine, threads):
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
    for which in range(4):
        assert verify(receiver, which=which)["type"] == "export.succeeded"


async def test_after_the_ladder_it_is_given_up_and_on_record(receiver, engine, threads, caplog):
    receiver.always = 500
    end_tasks(engine, receiver.url())
    with caplog.at_level(logging.INFO):
        async with delivering(engine, threads, 0.05, 0.05):
            (row,) = await eventually(
                lambda: [row for row in log_of(engine) if row["given_up_at"]], within_seconds=15
            )
            await asyncio.sleep(0.2)
    assert len(receiver.requests) == row["attempts"] == 3
    assert (row["last_status"], row["last_error"]) == (500, "http_status")
    assert [getattr(record, "given_up", False) for record in caplog.records][-1]


async def test_a_receiver_that_wants_no_more_gets_no_more(receiver, engine, threads):
    receiver.always = 410
    end_tasks(engine, receiver.url())
    async with delivering(engine, threads, 0.05, 0.05):
        await eventually(lambda: log_of(engine)[0]["given_up_at"], within_seconds=15)
        await asyncio.sleep(0.2)
    assert len(receiver.requests) == 1


async def test_two_hundred_ends_at_once_are_told_once_each_by_two_workers(
    receiver, engine, threads
):
    tasks = end_tasks(engine, receiver.url(), 200)
    async with delivering(engine, threads, 5), delivering(engine, threads, 5):
        await eventually(
            lambda: all(row["delivered_at"] for row in log_of(engine)), within_seconds=60
        )
    told = [json.loads(item.body)["data"]["task_id"] for item in receiver.requests]
    assert sorted(told) == sorted(str(task) for task in tasks)


async def test_a_receiver_that_hangs_leaves_room_for_the_others(receiver, engine, threads):
    with Receiver() as slow:
        slow.always = hang
        end_tasks(engine, slow.url(), 6)
        store, runs = TaskRequests(engine), TaskRuns(engine, LEASE)
        other = replace(ANN, tenant="other")
        task = store.submit(other, new_task(notify={"webhook": receiver.url()})).task
        runs.finish(runs.claim(task.id, "w"), finished("key"))
        async with delivering(engine, threads, 5, seconds=3):
            await eventually(lambda: receiver.requests, within_seconds=2.5)
            assert len(slow.requests) == 4


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
    with caplog.at_level(logging.DEBUG, logger="infra"):
        async with delivering(engine, threads, 0.05, 0.05):
            await eventually(lambda: log_of(engine)[0]["delivered_at"], within_seconds=15)
    lines = [JsonLines().format(record) for record in caplog.records]
    assert any(f'"to": "http://127.0.0.1:{receiver.port}/' in line for line in lines)
    secrets = [*SIGNER.secrets_of("acme"), NEW.decode(), "canary", "v1,"]
    assert [line for line in lines for secret in secrets if secret in line] == []
    assert "canary" not in str(log_of(engine)[0]["last_error"])
