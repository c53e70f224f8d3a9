"""Webhook sender: signed requests to a checked address, of whose answer only the status counts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime

import httpx2

from waybill import __version__
from waybill.infra.failpoints import failpoint
from waybill.infra.notifications.queue import DeliveryResult, DueNotification
from waybill.infra.notifications.signing import Signer
from waybill.infra.notifications.stored_targets import StoredTargets, UnreadableTarget
from waybill.infra.notifications.texts import webhook_body
from waybill.infra.notifications.webhook_targets import (
    BadWebhookUrl,
    Resolve,
    Target,
    TargetRules,
    system_resolve,
)

#: Timeouts of each network operation, and of a whole attempt, however slow the answer drips in.
_STEP_SECONDS = 10.0
ATTEMPT_SECONDS = 15.0
#: Addresses of a host that one attempt connects to at most.
_MAX_ADDRESSES = 3
#: The receiver wants no more webhooks. (Standard Webhooks, "Deliverability".)
_GONE = 410

Clock = Callable[[], datetime]


class WebhookSender:
    """Delivers webhooks; safe to use concurrently.

    Only a 2xx status is a delivery. Redirects are not followed, proxies of the environment are
    not used, and the body of an answer is not read.
    """

    def __init__(
        self,
        signer: Signer,
        rules: TargetRules,
        executor: Executor,
        *,
        public_url: str | None = None,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        seconds: float = ATTEMPT_SECONDS,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._signer = signer
        self._stored = StoredTargets(signer.master_keys)
        self._rules = rules
        self._executor = executor
        self._public_url = public_url
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._seconds = seconds
        self._clock = clock

    async def send(self, item: DueNotification) -> DeliveryResult:
        """Make one attempt to deliver `item`. Raises nothing for faults of the other side."""
        try:
            async with asyncio.timeout(self._seconds):
                target = self._rules.parse(self._stored.open(item.target))
                addresses = await self._look_up(target)
                status = await self._post_to_first(item, target, addresses)
        except UnreadableTarget:
            return DeliveryResult(delivered=False, error="secret_replaced", final=True)
        except BadWebhookUrl:
            return DeliveryResult(delivered=False, error="address_refused")
        except (TimeoutError, httpx2.TimeoutException):
            return DeliveryResult(delivered=False, error="timeout")
        except httpx2.ConnectError as error:
            return DeliveryResult(delivered=False, error=_connection_error(error))
        except httpx2.HTTPError:
            return DeliveryResult(delivered=False, error="connection_broken")
        except OSError:
            return DeliveryResult(delivered=False, error="host_not_found")
        failpoint("notifications.after_send")
        return _result(status)

    async def _look_up(self, target: Target) -> list[str]:
        # On separate threads: a name server that hangs must not take those of the exports.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, self._rules.addresses, target, self._resolve
        )

    async def _post_to_first(
        self, item: DueNotification, target: Target, addresses: Sequence[str]
    ) -> int:
        """Post to the first address that accepts a connection; returns the HTTP status."""
        *firsts, last = addresses[:_MAX_ADDRESSES]
        for address in firsts:
            try:
                return await self._post(item, target, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._post(item, target, last)

    async def _post(self, item: DueNotification, target: Target, address: str) -> int:
        body = webhook_body(item, self._public_url)
        message_id = f"msg_{item.id.hex}"
        headers = {
            "host": target.netloc,
            "content-type": "application/json",
            "user-agent": f"Waybill/{__version__}",
            **self._signer.headers(item.tenant_id, message_id, self._clock(), body),
        }
        # A client for each request: a pooled connection could belong to another host at the
        # same address, with that host's certificate.
        async with (
            httpx2.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=_STEP_SECONDS
            ) as client,
            client.stream(
                "POST",
                httpx2.URL(
                    scheme=target.scheme,
                    host=address,
                    port=target.port,
                    raw_path=target.path.encode(),
                ),
                headers=headers,
                content=body,
                # The certificate must match the host name, since the URL has the address.
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            return answer.status_code


def _result(status: int) -> DeliveryResult:
    if httpx2.codes.is_success(status):
        return DeliveryResult(delivered=True, status=status)
    if httpx2.codes.is_redirect(status):
        return DeliveryResult(delivered=False, status=status, error="redirect")
    if status == _GONE:
        return DeliveryResult(delivered=False, status=status, error="gone", final=True)
    return DeliveryResult(delivered=False, status=status, error="http_status")


def _connection_error(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        cause = cause.__cause__ or cause.__context__
    return "connection_failed"
