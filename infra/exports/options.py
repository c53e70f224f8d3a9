"""What a request asks of its file beside dataset, parameters, format and name, and how it is kept.

A task stores these options as JSON; the worker, a retry and an estimate read them back here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from waybill.exporter.datasets.choices import ColumnChoice, SortKey, refuse_repeats
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.options import CsvOptions
from waybill.infra.tasks.file_keys import PASSWORD_OPTION, has_password

#: Python knows these two, Polars does not.
_NOT_ZONES = {"Factory", "localtime"}

#: What a task with a password has as its time zone, which stands beside it. A worker of a version
#: that knows no passwords fails with this name, instead of writing the file without one.
_REFUSED_BY_OLDER = "for a file with a password: it needs a newer worker"
_ZONE_BESIDE_PASSWORD = "zone"  # noqa: S105 - the name of an option


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The options of one request; what is left out is as the dataset and the settings have it.

    Raises:
        InvalidRequest: a column or label is there twice, there is no such time zone, or a file with
            a password should be written by several workers.
    """

    csv: CsvOptions | None = None
    #: The columns of the file in their order; empty: all of the dataset.
    columns: tuple[ColumnChoice, ...] = ()
    #: What rows are sorted by, before the dataset's own order.
    sort: tuple[SortKey, ...] = ()
    #: IANA name of the zone in which the file shows moments.
    timezone: str | None = None
    #: Code of the reader's language, in which the file has the texts of its dataset.
    language: str | None = None
    #: What the file is needed for, in the requester's words.
    reason: str | None = None
    #: From which size on several workers write the file.
    sharding: Sharding | None = None
    #: Whether the file has a password. Which one is no option: it is not stored.
    password: bool = False

    def __post_init__(self) -> None:
        refuse_repeats(self.columns, self.sort)
        if self.timezone is not None:
            zone_named(self.timezone)
        if self.password and self.sharding is not None and not self.sharding.never:
            raise InvalidRequest(
                "A file with a password is written by one worker: leave `sharding` out.",
                field="sharding",
            )

    @classmethod
    def of_task(cls, stored: Mapping[str, Any] | None) -> RequestOptions:
        """The options that a task has stored; the reverse of `stored`."""
        found = stored or {}
        csv, sharding = found.get("csv"), found.get("sharding")
        return cls(
            csv=None if csv is None else CsvOptions(**csv),
            columns=tuple(ColumnChoice(**item) for item in found.get("columns", ())),
            sort=tuple(SortKey(**item) for item in found.get("sort", ())),
            timezone=stored_timezone(found),
            language=found.get("language"),
            reason=found.get("reason"),
            sharding=None if sharding is None else Sharding(**sharding),
            password=has_password(found),
        )

    def stored(self) -> dict[str, Any]:
        """All but how CSV is written, as a task stores it."""
        found: dict[str, Any] = {
            "columns": [item.model_dump(exclude_none=True) for item in self.columns],
            "sort": [item.model_dump() for item in self.sort],
            "timezone": self.timezone,
            "language": self.language,
            "reason": self.reason,
            "sharding": self.sharding and self.sharding.model_dump(exclude_defaults=True),
        }
        if self.password:
            found |= {
                PASSWORD_OPTION: True,
                "timezone": _REFUSED_BY_OLDER,
                _ZONE_BESIDE_PASSWORD: self.timezone,
            }
        return {name: value for name, value in found.items() if value}


def stored_timezone(options: Mapping[str, Any]) -> str | None:
    """The time zone that was asked for, out of the options of a task."""
    place = _ZONE_BESIDE_PASSWORD if has_password(options) else "timezone"
    zone: str | None = options.get(place)
    return zone


def zone_named(name: str) -> ZoneInfo:
    """The time zone called `name`, by its IANA name.

    Raises:
        InvalidRequest: there is none; the message has the name most like it.
    """
    if name in _zones():
        return ZoneInfo(name)
    folded = {zone.lower(): zone for zone in _zones()}
    wanted = name.lower()[:60].replace(" ", "_")
    # People write the city alone.
    ends = [zone for zone in folded if zone.endswith("/" + wanted)]
    alike = sorted(ends, key=len) or get_close_matches(wanted, folded, n=1, cutoff=0.7)
    remedy = f" Did you mean {folded[alike[0]]}?" if alike else " Try a name like Europe/Berlin."
    raise InvalidRequest(f"There is no time zone {name[:60]!r}.{remedy}", field="timezone")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_ZONES)
