"""The message broker's interface: RabbitMQ and the in-process broker implement it.

A message says "look at task X". It carries no parameters, no rows and no secret, and the
database decides what it is worth: lost, doubled or late messages change nothing but time.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from waybill.exporter.errors import WaybillError
from waybill.infra.broker.shared_limit import SharedLimit

#: Version of the message body. A worker dead-letters versions it does not know.
VERSION = 1
#: A wake-up is a few ids; anything larger is not ours.
MAX_BYTES = 4096
#: The kind of a wake-up for no task, which asks whether a queue takes messages.
PROBE = "probe"


class BrokerUnavailable(WaybillError):
    """The message broker did not confirm the message."""

    code = "broker_unavailable"


class TryLater(WaybillError):
    """A handler cannot decide about a message now."""

    code = "try_later"


class BadMessage(WaybillError, ValueError):
    """A message is not a wake-up this version can read."""

    code = "bad_message"
    retry = False


@dataclass(frozen=True, slots=True)
class WakeUp:
    """One message: which task to look at.

    Consumers read `task_id`, and `fence`, which is the task's when this was written: it tells the
    latest wake-up of a task from an older copy. `kind` makes each wake-up of a task another
    message, so that each of them can become a dead letter of its own.
    """

    task_id: UUID
    fence: int
    kind: str = "run"

    def encode(self) -> bytes:
        """The body, as JSON of well under `MAX_BYTES`."""
        body = {"v": VERSION, "task_id": str(self.task_id), "fence": self.fence, "kind": self.kind}
        return json.dumps(body, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, body: bytes) -> WakeUp:
        """Read a body.

        Raises:
            BadMessage: not JSON, too large, of another version, or with fields missing.
        """
        if len(body) > MAX_BYTES:
            raise BadMessage(f"The message has {len(body)} bytes.")
        try:
            data = json.loads(body)
            if data["v"] != VERSION:
                raise BadMessage(f"The message has version {data['v']!r}.")
            return cls(UUID(data["task_id"]), int(data["fence"]), str(data["kind"]))
        except BadMessage:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadMessage("The message is not a wake-up.") from error


#: The long part of a message's work, run after the message was acknowledged.
Work = Callable[[], Awaitable[None]]

#: Called for each message. It claims the task in the database, and returns the work to do
#: or None. Its return acknowledges the message, `TryLater` lets it be delivered again;
#: `BadMessage` sends it to the dead letters, and so does any other error, since retries are
#: the database's decision and not ours.
Handler = Callable[[WakeUp], Awaitable[Work | None]]

#: Called for each dead letter with its body, the queue it came from, and the reason.
DeadLetterHandler = Callable[[bytes, str, str], Awaitable[None]]

#: Which of these tasks our database has.
KnownTasks = Callable[[Collection[UUID]], Awaitable[set[UUID]]]


class Broker(Protocol):
    """Carries wake-ups from the relay to the workers.

    `publish` promises at-least-once: when it returns, the broker has the message on disk or
    the process is the broker. When it raises, the message may or may not arrive.
    """

    async def publish(
        self, wake_up: WakeUp, *, queue: str, message_id: str, delay: timedelta = timedelta(0)
    ) -> None:
        """Hand over one message for `queue`, to arrive no sooner than `delay` from now.

        Raises:
            BrokerUnavailable: not confirmed: refused, unroutable, blocked, or timed out.
        """
        ...

    async def publish_dead_letter(
        self, wake_up: WakeUp, *, queue: str, message_id: str, reason: str
    ) -> None:
        """Hand over the message of a task that ended for `reason`, for a person to look at.

        Raises:
            BrokerUnavailable: as `publish`.
        """
        ...

    def consume(
        self,
        queues: Iterable[str],
        handler: Handler,
        *,
        concurrency: int,
        shared: SharedLimit | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Deliver messages of `queues` to `handler` while the context is open.

        Work runs outside the delivery, so no acknowledgement timeout can touch it. While
        `concurrency` works run, or `shared` is full, no further message is taken, and none is
        held unacknowledged.
        Leaving stops deliveries at once and waits for running work; cancel that wait by
        cancelling the task that leaves. What was not acknowledged is delivered again.
        """
        ...

    def consume_dead_letters(self, handler: DeadLetterHandler) -> AbstractAsyncContextManager[None]:
        """Deliver every dead letter once to `handler` while the context is open."""
        ...

    async def announce(self) -> list[str]:
        """Say that this installation uses the broker; the ids of others that said so in a day.

        Raises:
            BrokerUnavailable: not reached, or not let do it.
        """
        ...

    async def take_over_earlier(self, known: KnownTasks) -> int:
        """Move what an earlier version left to where consumers of this one look; how many.

        Messages for tasks that are not `known` are another installation's, and stay.

        Raises:
            BrokerUnavailable: not reached, or not let do it.
        """
        ...

    async def connect(self) -> None:
        """Connect now and not at the first use, so that `check_access` has something to tell.

        Raises:
            BrokerUnavailable: not reached, or not let in.
        """
        ...

    def check_access(self) -> None:
        """Raise the error that the broker refused this process with when it was last asked.

        Asks nothing itself, so any thread may call it. A broker that is away is no refusal.
        """
        ...

    async def watch(self) -> None:
        """Until cancelled, find out for `check_access` whether queues take messages."""
        ...

    async def close(self) -> None:
        """End connections. Safe to call twice."""
        ...
