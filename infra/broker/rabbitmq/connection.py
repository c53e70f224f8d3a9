"""Connections to RabbitMQ: opening, closing, and one error for every way they fail.

Plain connections, not aio-pika's robust ones: what has to happen after a loss (declare,
consume, drop old deliveries) is ours to decide, and two recoveries at once would race.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aio_pika import Connection
from aio_pika import exceptions as amqp
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.addresses import BrokerAddress, BrokerAddresses

#: Quorum queues with a time to live, and dead lettering that loses nothing, came with 3.10.
MINIMUM_VERSION = (3, 10)
#: Declaring a topology for the first time: about 0.1 s for each queue, on a slow host more.
DECLARE_SECONDS = 30.0
#: Any other question to the broker. It is answered in milliseconds, or the broker hangs.
ANSWER_SECONDS = 10.0

_CLOSE_SECONDS = 5.0

#: The message shown to a person, by the first class that matches. aio-pika's own texts stay in
#: the cause: they hold addresses and protocol terms.
_TEXTS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "The message broker did not answer in time."),
    (amqp.ChannelNotFoundEntity, "An exchange or a queue is missing in the message broker."),
    (
        amqp.ChannelPreconditionFailed,
        "An exchange or a queue exists in the message broker with other arguments.",
    ),
    (amqp.PublishError, "The message was returned: no queue takes it."),
    # A nack. It does not say why.
    (
        amqp.DeliveryError,
        "The message was refused: its queue is full, or most of the queue's members are away.",
    ),
)
#: The same where somebody has to act, since the broker will say no again.
_REFUSALS: tuple[tuple[type[BaseException], str], ...] = (
    (amqp.AuthenticationError, "The message broker refused the login."),
    (amqp.ProbableAuthenticationError, "The message broker refused the login."),
    # While connecting, aio-pika reports a refused vhost as an answer it did not expect.
    (amqp.InvalidFrameError, "The message broker has no such vhost, or we may not use it."),
)
#: What RabbitMQ says of a right that is missing. Later versions name the right, too.
_ACCESS = re.compile(
    r"(?:(?P<right>configure|read|write) )?access to"
    r" (?P<kind>exchange|queue|topic) '(?P<name>[^']*)'"
)
_OTHERWISE = "The message broker cannot be reached."

#: Of what a server says of itself.
_MAX_PROPERTY_CHARS = 40

#: Connections on their way out. The event loop refers to tasks only weakly.
_closing: set[asyncio.Task[None]] = set()


class BrokerUnsupported(BrokerUnavailable):
    """The message broker is older than RabbitMQ 3.10."""

    code = "broker_unsupported"
    retry = False


class BrokerRefused(BrokerUnavailable):
    """The message broker does not let our user do what it has to do."""

    code = "broker_refused"
    retry = False


@asynccontextmanager
async def answered(within_seconds: float, right: str = "") -> AsyncIterator[None]:
    """A context for one question to the broker: any failure inside is `BrokerUnavailable`.

    `right` is the right that the question needs: ``configure``, ``write`` or ``read``.

    When a connection is lost, aio-pika ends pending calls with `CancelledError`. Here that is
    a failure like any other, unless this task itself was cancelled. Then it always ends with
    `CancelledError`, also where a library turned the cancellation into an error or a result.
    """
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(within_seconds):
            yield
    except BaseException as error:
        if task and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError from error
        if isinstance(error, BrokerUnavailable):
            raise
        if isinstance(error, asyncio.CancelledError):
            raise BrokerUnavailable(_OTHERWISE) from error
        if isinstance(error, Exception):
            raise _described(error, right) from error
        raise
    if task and task.cancelling() > cancelled_before:
        raise asyncio.CancelledError


def _described(error: Exception, right: str) -> BrokerUnavailable:
    if isinstance(error, ChannelAccessRefused):
        said = _ACCESS.search(str(error))
        if said is None:
            return BrokerRefused("We lack a right in the message broker.")
        return BrokerRefused(
            f"Our user lacks the {said['right'] or right} right for the {said['kind']}"
            f" {said['name']} in the message broker."
        )
    for error_class, text in _REFUSALS:
        if isinstance(error, error_class):
            return BrokerRefused(text)
    return BrokerUnavailable(
        next((text for error_class, text in _TEXTS if isinstance(error, error_class)), _OTHERWISE)
    )


async def open_connection(addresses: BrokerAddresses, name: str) -> Connection:
    """Connect under `name`, which the broker's own tools show, to the first address that answers.

    Raises:
        BrokerUnavailable: none was reached, or none let us in.
        BrokerUnsupported: the server is too old.
    """
    candidates = await addresses.in_turn()
    errors: list[BrokerUnavailable] = []
    for address in candidates:
        alone = len(candidates) == 1
        within_seconds = ANSWER_SECONDS if alone else addresses.patience_seconds(address.url)
        try:
            connection = await _connect(address, name, within_seconds)
        except BrokerUnavailable as error:
            addresses.did_not_answer(address.url)
            errors.append(error)
        else:
            addresses.answered(address.url)
            return connection
    # What one address says is more than the silence of others.
    if refusals := [error for error in errors if not error.retry]:
        raise refusals[0]
    if len(errors) > 1:
        text = f"None of the {len(errors)} addresses of the message broker can be reached."
        raise BrokerUnavailable(text) from errors[-1]
    raise errors[0] if errors else BrokerUnavailable(_OTHERWISE)


async def unreachable(addresses: BrokerAddresses) -> list[str]:
    """The addresses that do not let us in, as ``host:port``. Asks all of them at once."""

    async def refuses(address: BrokerAddress) -> bool:
        try:
            await close_connection(await _connect(address, "check", ANSWER_SECONDS))
        except BrokerUnavailable:
            return True
        return False

    candidates = await addresses.in_turn()
    refusing = await asyncio.gather(*map(refuses, candidates))
    return [a.shown for a, refused in zip(candidates, refusing, strict=True) if refused]


def note_silence(addresses: BrokerAddresses, connection: Connection, error: BaseException) -> None:
    """Ask the address of `connection` last from now on, if `error` is its silence."""
    if isinstance(error, BrokerUnavailable) and isinstance(error.__cause__, TimeoutError):
        addresses.did_not_answer(connection.url)


async def _connect(address: BrokerAddress, name: str, within_seconds: float) -> Connection:
    connection = Connection(address.url, client_properties={"connection_name": f"waybill {name}"})
    if address.url.scheme == "amqps":
        # aio-pika passes these on to `asyncio`, and reads only a few of them from the query.
        connection.kwargs["server_hostname"] = address.server_name
    try:
        async with answered(within_seconds):
            await connection.connect()
        _check_version(connection)
    except BaseException:
        await close_connection(connection)
        raise
    return connection


async def close_connection(connection: AbstractConnection) -> None:
    """End a connection. One that hangs is left to end by itself after a few seconds."""
    closing = asyncio.create_task(_close(connection))
    # A timeout around `close` would not do: when cancelled, it goes on to wait for the end.
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    await asyncio.wait([closing], timeout=_CLOSE_SECONDS)


async def _close(connection: AbstractConnection) -> None:
    with suppress(Exception):
        await connection.close()


def server_name(connection: AbstractConnection) -> str:
    """The product and the version that the server says it is, such as ``RabbitMQ 3.13.7``."""
    return f"{_property(connection, 'product', 'RabbitMQ')} {_property(connection, 'version')}"


def _property(connection: AbstractConnection, name: str, default: str = "unknown") -> str:
    if connection.transport is None:
        raise BrokerUnavailable()
    text = connection.transport.connection.server_properties.get(name) or default
    return "".join(filter(str.isprintable, str(text)))[:_MAX_PROPERTY_CHARS]


def _check_version(connection: AbstractConnection) -> None:
    version = _property(connection, "version")
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        major, minor = 0, 0
    if (major, minor) < MINIMUM_VERSION:
        needed = ".".join(str(part) for part in MINIMUM_VERSION)
        raise BrokerUnsupported(
            f"RabbitMQ {needed} or newer is needed; this is {server_name(connection)}."
        )
