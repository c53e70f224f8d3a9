"""Admission: how many requests are worked on at once, and how long others wait for their turn.

A process that accepts every request answers none in time once more arrive than it can work on. Here
a request is refused at once, with the time after which to come back, when its turn would come too
late. Each kind of work has a lane of its own, so that a flood of new exports keeps nobody from
downloading. Health checks take no lane, and an event stream leaves its lane when it begins.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, Literal

from fastapi import Request, Response
from fastapi.routing import APIRoute

from waybill.api.http.safe_methods import SAFE_METHODS
from waybill.api.problems.errors import Overloaded

#: How long a request may wait for its turn: a burst of some hundred is answered, a person still
#: waits (Nielsen, Response Times, 1993: ten seconds), and a proxy has its own time-out ahead.
PATIENCE = timedelta(seconds=5)
#: The longest time that is asked of a client.
_LONGEST_PAUSE = 30.0
#: The weight of the newest duration in the mean.
_WEIGHT = 0.1

#: Everything that may change a row; everything else; what asks a source database, which may take
#: its time.
LaneName = Literal["changes", "reads", "sources"]


class Lane:
    """At most `slots` requests at work; others wait, the longest first. For one event loop."""

    def __init__(
        self,
        slots: int,
        patience: timedelta = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns seconds."""
        self._slots = slots
        self._free = slots
        self._patience = patience.total_seconds()
        self._clock = clock
        #: Who waits, longest first, and the turn of each.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        #: Seconds that a request takes, and when the last one began or ended.
        self._mean = 0.0
        self._moved_at = clock()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def expected_wait(self) -> float:
        """Seconds until a request that comes now would have its turn.

        Never less than the time for which nothing has ended: then something hangs, and the mean
        is that of better days.
        """
        if self._free:
            return 0.0
        queued = (len(self._waiting) + 1) * self._mean / self._slots
        return max(queued, self._clock() - self._moved_at)

    def check(self) -> None:
        """Raise `Overloaded` if the turn of a request that comes now would come too late."""
        if (wait := self.expected_wait()) > self._patience:
            raise _overloaded(wait)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it while the block runs.

        Raises:
            Overloaded: the turn would come, or has come, too late.
        """
        await self._wait()
        began = self._clock()
        try:
            yield
        finally:
            self._moved_at = self._clock()
            self._mean += _WEIGHT * (self._moved_at - began - self._mean)
            self._leave()

    async def _wait(self) -> None:
        if self._free:
            self._free -= 1
            self._moved_at = self._clock()
            return
        self.check()
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting[mine] = None
        late = loop.call_later(self._patience, self._give_up, mine)
        try:
            await mine
        except asyncio.CancelledError:
            # The client has left, perhaps when its turn had just come.
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._leave()
            raise
        finally:
            late.cancel()
            self._waiting.pop(mine, None)

    def _give_up(self, place: asyncio.Future[None]) -> None:
        if not place.done():
            place.set_exception(_overloaded(max(self.expected_wait(), self._patience)))

    def _leave(self) -> None:
        while self._waiting:
            place, _ = self._waiting.popitem(last=False)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class Lanes:
    """The lanes of a process, by the work of a request.

    Together they take no more threads and connections to the task database than there are, so
    nothing waits behind them.
    """

    #: Six threads keep one core busy while some wait for the database; more only contend for the
    #: interpreter.
    SLOTS: Mapping[LaneName, int] = {"changes": 6, "reads": 6, "sources": 4}

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self._lanes = {name: Lane(slots, patience) for name, slots in self.SLOTS.items()}

    def __getitem__(self, name: LaneName) -> Lane:
        return self._lanes[name]


class AdmittedRoute(APIRoute):
    """A route whose requests wait for their turn in a lane, once they have arrived as a whole.

    The application's state has the `Lanes`, as `lanes`.
    """

    #: None: by the method.
    lane: ClassVar[LaneName | None] = None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def handle_in_turn(request: Request) -> Response:
            lane = self._lane_of(request)
            # Before anything is done for it: refusing has to be cheap.
            lane.check()
            if takes_body:
                request = await self.arrived(request)
            async with lane.turn():
                return await handle(request)

        return handle_in_turn

    async def arrived(self, request: Request) -> Request:
        """`request` once its body was received; who sends it slowly holds no slot meanwhile."""
        await request.body()
        return request

    def _lane_of(self, request: Request) -> Lane:
        lanes: Lanes = request.app.state.lanes
        by_method: LaneName = "reads" if request.method in SAFE_METHODS else "changes"
        return lanes[self.lane or by_method]


def _overloaded(wait: float) -> Overloaded:
    # Spread, so that those who were refused together do not come back together.
    seconds = min(wait * random.uniform(1, 2), _LONGEST_PAUSE)  # noqa: S311 - no secret
    return Overloaded(timedelta(seconds=seconds))
