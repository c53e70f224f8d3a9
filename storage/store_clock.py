"""The clock of an object store, as its answers tell it: links live by it, and not by ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic


class StoreClock:
    """What the store's clock said at its latest answer. Safe to use from any thread."""

    def __init__(self) -> None:
        #: With the time of a clock of ours that nobody sets.
        self._noted: tuple[datetime, float] | None = None

    def note(self, ahead: timedelta | None) -> None:
        """Take note that the store's clock is `ahead` of ours just now; None: it did not say."""
        if ahead is not None:
            self._noted = datetime.now(UTC) + ahead, monotonic()

    def now(self) -> datetime | None:
        """The time there, to about a second; None before the first answer."""
        if self._noted is None:
            return None
        then, at = self._noted
        return then + timedelta(seconds=monotonic() - at)
