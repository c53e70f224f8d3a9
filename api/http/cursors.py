"""Cursors: signed positions in one caller's list. No other caller or filter accepts them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from waybill.api.problems.errors import BadCursor
from waybill.exporter.datasets.principal import Principal


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What a list is narrowed to. A cursor is valid only for the filter it was issued under."""

    statuses: tuple[str, ...] = ()
    task_type: str | None = None
    words: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Cursors:
    """Issues and reads cursors. Servers that share the key accept each other's cursors."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        """`key` is asked for at each use, since it may be in a database."""
        self._key = key

    def write(
        self, user: Principal, narrowed: ListFilter, created_at: datetime, task_id: UUID
    ) -> str:
        """A cursor for the rows after the task with this creation time and id."""
        return self._signer(user, narrowed).dumps([created_at.isoformat(), str(task_id)])

    def read(self, user: Principal, narrowed: ListFilter, cursor: str) -> tuple[datetime, UUID]:
        """The position in `cursor`.

        Raises:
            BadCursor: forged, or issued for another caller or filter.
        """
        try:
            created_at, task_id = self._signer(user, narrowed).loads(cursor)
        except (BadData, UnicodeEncodeError):
            raise BadCursor from None
        return datetime.fromisoformat(created_at), UUID(task_id)

    def _signer(self, user: Principal, narrowed: ListFilter) -> URLSafeSerializer:
        """The caller and the filter are part of the salt, so each pair has a key of its own.

        No salt equals the key that signs tokens, so a cursor's signature is never a token's.
        """
        statuses, *others = astuple(narrowed)
        scope = [user.tenant, user.user, sorted(statuses), *others]
        salt = "waybill cursor\0" + json.dumps(scope, default=str)
        return URLSafeSerializer(
            self._key(),
            salt=salt,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
