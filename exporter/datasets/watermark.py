"""Watermark: the line in a file that says for whom and when it was made."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from waybill.exporter.datasets.principal import Principal

_PLACEHOLDERS = ("user", "tenant", "time")


@dataclass(frozen=True, slots=True)
class Watermark:
    """The watermark of one person's file. `of` makes it."""

    pattern: str
    user: str
    tenant: str

    @classmethod
    def of(cls, pattern: str, person: Principal) -> Watermark | None:
        """That of a dataset for `person`; None where the dataset has none."""
        return cls(pattern, person.user, person.tenant) if pattern else None

    def text(self, moment: datetime | None, zone: ZoneInfo) -> str:
        """The line: for the rows of `moment`, shown in `zone`."""
        shown = f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}" if moment else ""
        return self.pattern.format(user=self.user, tenant=self.tenant, time=shown)


def check_watermark(pattern: str) -> None:
    """Refuse a pattern that cannot be filled in. Call it where a pattern is declared.

    Raises:
        ValueError: it holds another placeholder than ``{user}``, ``{tenant}`` and ``{time}``, or a
            brace without its partner, or it does not name the user.
    """
    parts = list(string.Formatter().parse(pattern))
    for _, name, form, conversion in parts:
        if name is not None and (name not in _PLACEHOLDERS or form or conversion):
            raise ValueError(
                f"a watermark may hold {{user}}, {{tenant}} and {{time}}, not {{{name}}}"
            )
    if pattern and not any(name == "user" for _, name, _, _ in parts):
        raise ValueError("a watermark has to hold {user}, or it would say nothing about the reader")
