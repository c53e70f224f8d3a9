"""Confirmed publishing to RabbitMQ: a message is on its disk when `publish` returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from aio_pika import Connection, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq import spec

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.addresses import BrokerAddresses
from waybill.infra.broker.rabbitmq.connection import (
    ANSWER_SECONDS,
    BrokerRefused,
    answered,
    close_connection,
    note_silence,
    open_connection,
)
from waybill.infra.broker.rabbitmq.declaring import prepare_topology
from waybill.infra.broker.rabbitmq.topology import Topology

#: A channel that refuses a message is replaced, if it is older. RabbitMQ 3.10 was seen to refuse
#: everything for a queue on a channel that was opened in the moment between the loss of the
#: queue's leader and the election of the next, while any other channel worked at once.
_REFUSING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _ConfirmChannel:
    """A connection and its channel, kept together: a dropped reference would leak the channel."""

    connection: Connection
    channel: AbstractChannel
    #: By the clock of the event loop.
    opened_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def is_old(self) -> bool:
        """Whether a refusal may be the channel's own."""
        return asyncio.get_running_loop().time() - self.opened_at > _REFUSING_SECONDS


class Publisher:
    """One connection with one confirming channel, opened when needed, dropped when in doubt.

    Opening it declares the topology, so what an operator deleted is back at the next try;
    without `declare`, it does not.
    """

    def __init__(
        self,
        addresses: BrokerAddresses,
        topology: Topology,
        timeout: timedelta,
        *,
        declare: bool = True,
    ) -> None:
        self._addresses = addresses
        self._topology = topology
        self._declare = declare
        self._timeout_seconds = timeout.total_seconds()
        self._open_channel: _ConfirmChannel | None = None
        self._attempt: asyncio.Task[_ConfirmChannel] | None = None
        self._dropped: set[asyncio.Task[None]] = set()
        self._closed = False
        self._refusal: BrokerRefused | None = None

    @property
    def dead_exchange(self) -> str:
        """Where dead letters are published."""
        return self._topology.names.dead

    @property
    def refusal(self) -> BrokerRefused | None:
        """Why the broker refused us when it was last asked; None if it did not."""
        return self._refusal

    async def publish(self, exchange: str, routing_key: str, message: Message) -> None:
        """Publish one message and wait for the confirm. Many calls may run at once.

        Raises:
            BrokerUnavailable: not confirmed. The message may arrive all the same, even hours
                later, when a blocked broker goes on.
        """
        opened = await self._open()
        try:
            async with answered(self._timeout_seconds, "write"):
                target = await opened.channel.get_exchange(exchange, ensure=False)
                result = await target.publish(message, routing_key, mandatory=True)
            if not isinstance(result, spec.Basic.Ack):
                raise BrokerUnavailable()
            self._refusal = None
        except BrokerUnavailable as error:
            self._refusal = error if isinstance(error, BrokerRefused) else None
            if opened.is_old or not _refused_message(error):
                note_silence(self._addresses, opened.connection, error)
                self._drop(opened)
            raise

    async def connection(self) -> AbstractConnection:
        """The open connection, for questions about the broker."""
        return (await self._open()).connection

    async def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._closed = True
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
        if self._open_channel is not None:
            self._drop(self._open_channel)
        await asyncio.gather(*self._dropped)

    async def _open(self) -> _ConfirmChannel:
        if self._closed:
            raise BrokerUnavailable("The broker is closed.")
        if self._open_channel is not None and self._open_channel.channel.is_closed:
            self._drop(self._open_channel)
        if self._open_channel is not None:
            return self._open_channel
        if self._attempt is None:
            # One attempt for all waiting calls: a batch fails at once when the broker is away.
            self._attempt = asyncio.create_task(self._connect())
            self._attempt.add_done_callback(self._attempted)
        attempt = self._attempt
        await asyncio.wait([attempt])
        if attempt.cancelled():
            raise BrokerUnavailable("The broker is closed.")
        return attempt.result()

    def _attempted(self, attempt: asyncio.Task[_ConfirmChannel]) -> None:
        self._attempt = None
        if attempt.cancelled():
            return
        error = attempt.exception()
        self._refusal = error if isinstance(error, BrokerRefused) else None
        if error is None:
            self._open_channel = attempt.result()

    async def _connect(self) -> _ConfirmChannel:
        connection = await open_connection(self._addresses, "publish")
        try:
            if self._declare:
                await prepare_topology(connection, self._topology)
            async with answered(ANSWER_SECONDS):
                channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
        except BaseException as error:
            note_silence(self._addresses, connection, error)
            await close_connection(connection)
            raise
        return _ConfirmChannel(connection, channel)

    def _drop(self, opened: _ConfirmChannel) -> None:
        """Stop publishing on this channel; it is closed in the background, for a few seconds."""
        if self._open_channel is opened:
            self._open_channel = None
            closing = asyncio.create_task(close_connection(opened.connection))
            self._dropped.add(closing)
            closing.add_done_callback(self._dropped.discard)


def _refused_message(error: BaseException) -> bool:
    """Whether the broker refused just this message: its queue takes none, and the channel may work.

    An unroutable message is not counted here: something was deleted or unbound, and the next
    channel declares it again.
    """
    cause = error.__cause__
    return isinstance(cause, DeliveryError) and not isinstance(cause, PublishError)
