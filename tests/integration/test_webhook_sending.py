"""Webhooks over real connections: signed, pinned to the checked address, tried again (F53, F54)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from tests.support.servers.certificates import self_signed
from tests.support.servers.ports import free_ports
from tests.support.servers.webhook_receiver import (
    Receiver,
    drip,
    flood,
    hang,
    hang_up,
    redirect_to,
)
from waybill.infra.notifications.queue import DeliveryResult, DueNotification
from waybill.infra.notifications.signing import Signer
from waybill.infra.notifications.webhook_targets import TargetRules, system_resolve
from waybill.infra.notifications.webhooks import WebhookSender

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

    async def once(url: str, **options: Any) -> DeliveryResult:
        rules = options.pop("rules", LOCAL)
        signer = options.pop("signer", SIGNER)
        item = options.pop("item", None) or due(url)
        return await WebhookSender(signer, rules, threads, **options).send(item)

    return once


def due(url: str) -> DueNotification:
    return DueNotification(
        id=uuid4(),
        task_id=uuid4(),
        tenant_id="acme",
        user_id="ann",
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
    item = due(receiver.url("/T0/x?token=1"))
    outcome = await send(item.target, item=item, public_url="https://exports.example")
    assert outcome == DeliveryResult(delivered=True, status=204)
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
        (200, DeliveryResult(delivered=True, status=200)),
        (299, DeliveryResult(delivered=True, status=299)),
        (304, DeliveryResult(delivered=False, status=304, error="redirect")),
        (400, DeliveryResult(delivered=False, status=400, error="http_status")),
        (410, DeliveryResult(delivered=False, status=410, error="gone", final=True)),
        (500, DeliveryResult(delivered=False, status=500, error="http_status")),
        (hang_up, DeliveryResult(delivered=False, error="connection_broken")),
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
    assert outcome == DeliveryResult(delivered=False, error="timeout")


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
    assert outcome == DeliveryResult(delivered=False, error="connection_failed")


async def test_r22_an_address_that_has_become_private_is_refused_at_sending(receiver, send):
    for url in (receiver.url(), f"https://{HOST}/", "https://2130706433/"):
        outcome = await send(url, rules=TargetRules(), resolve=lambda host, port: ["127.0.0.1"])
        assert outcome == DeliveryResult(delivered=False, error="address_refused")
    assert receiver.requests == []


async def test_r24_one_private_answer_refuses_all_at_sending_too(send):
    outcome = await send(
        f"https://{HOST}/", rules=TargetRules(), resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"]
    )
    assert outcome.error == "address_refused"


async def test_a_name_that_is_gone_is_tried_again_later(send):
    outcome = await send("http://nowhere.invalid/", resolve=system_resolve)
    assert outcome == DeliveryResult(delivered=False, error="host_not_found")


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
        assert outcome == DeliveryResult(delivered=False, error="tls_failed")
        assert receiver.requests == []


async def test_f53_plain_text_where_tls_should_be_is_no_reason_to_step_down(receiver, send):
    outcome = await send(receiver.url().replace("http:", "https:"))
    assert outcome == DeliveryResult(delivered=False, error="tls_failed")
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
