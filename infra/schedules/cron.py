"""Times of a schedule: a cron expression in a time zone, through daylight saving time.

`cronsim` follows Debian's cron. An expression with fixed hours and minutes has one slot for each
time it names: a time that a change of the clocks skips becomes the first moment after the gap,
and a time that occurs twice is the first of the two. An expression whose minutes or hours begin
with ``*`` goes by elapsed time. Slots are moments in UTC, so none of them is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from waybill.exporter.errors import InvalidRequest

_MAX_CHARS = 100
_FIELDS = 5
#: Longer than clocks are ever put back.
_LONGEST_REPEAT = timedelta(hours=3)
#: How many slots `closest` compares. A rule that names a few times a day repeats within them.
_COMPARED = 60


@dataclass(frozen=True, slots=True)
class Slot:
    """One time of a schedule. `moved`: the clocks skip it; `repeated`: it occurs twice that day."""

    at: datetime
    moved: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, in a zone. Make it with `parse_cron`."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime:
        """The first slot after `moment`.

        Raises:
            InvalidRequest: there is none in the next fifty years.
        """
        found = next(self._forward(moment), None)
        if found is None:
            raise InvalidRequest("This cron expression never comes true.", field="cron")
        return found

    def newest(self, until: datetime) -> datetime:
        """The last slot that is not after `until`, however long ago.

        Raises:
            InvalidRequest: there is none in the last fifty years.
        """
        # Local times near a change of the clocks are not in the order of their moments.
        start = (until + _LONGEST_REPEAT).astimezone(self.zone)
        for found in CronSim(self.expression, start, reverse=True):
            if (moment := found.astimezone(UTC)) <= until:
                return moment
        raise InvalidRequest("This cron expression never comes true.", field="cron")

    def count(self, first: datetime, last: datetime, *, most: int) -> int:
        """The number of slots after `first` up to `last`, counted no further than `most`."""
        slots = islice(self._forward(first), most)
        return sum(1 for slot in slots if slot <= last)

    def next_times(self, moment: datetime, count: int) -> list[Slot]:
        """The next `count` slots after `moment`."""
        return [self._described(slot) for slot in islice(self._forward(moment), count)]

    def closest(self, moment: datetime) -> timedelta:
        """The shortest time between two slots in a row, of those that follow `moment`."""
        slots = islice(self._forward(moment), _COMPARED)
        return min((after - before for before, after in pairwise(slots)), default=timedelta.max)

    def _forward(self, moment: datetime) -> Iterator[datetime]:
        latest = moment
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            # In a repeated hour the rule would go back to its first half.
            if (slot := found.astimezone(UTC)) > latest:
                latest = slot
                yield slot

    def _described(self, slot: datetime) -> Slot:
        local, rule = slot.astimezone(self.zone), CronSim(self.expression, slot)
        other = local.replace(fold=1 - local.fold)
        return Slot(
            slot,
            moved=local.hour not in rule.hours or local.minute not in rule.minutes,
            repeated=other.utcoffset() != local.utcoffset(),
        )


def parse_cron(expression: str, timezone: str) -> Cron:
    """Check a cron expression and a zone.

    Raises:
        InvalidRequest: with the field that is wrong, and why.
    """
    parts = expression.upper().split()
    if len(parts) != _FIELDS or len(expression) > _MAX_CHARS:
        raise InvalidRequest(
            "A cron expression has five fields: minute, hour, day of the month, month, day of the"
            " week.",
            field="cron",
        )
    zone = parse_zone(timezone)
    try:
        cron = Cron(" ".join(parts), zone)
        cron.after(datetime.now(UTC))
    except CronSimError as error:
        raise InvalidRequest(
            f"The cron expression is wrong: {str(error).lower()}.", field="cron"
        ) from None
    return cron


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        InvalidRequest: there is none.
    """
    if name not in zone_names():
        raise InvalidRequest(
            "There is no such time zone. Use an IANA name such as Europe/Berlin.",
            field="timezone",
        )
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """The names of all time zones of this machine."""
    return frozenset(available_timezones())
