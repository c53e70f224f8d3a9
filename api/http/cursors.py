"""Cursors: a position in one caller's list, signed, and of no use to anybody else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from waybill.api.problems.errors import BadCursor
from waybill.exporter.datasets.principal import Principal

_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What a list is narrowed to. A cursor fits the filter it was made under only."""

    statuses: tuple[str, ...] = ()
    task_type: str | None = None
    name_part: str | None = None


class Cursors:
    """Writes and reads cursors. Servers that share the secret share their cursors."""

    def __init__(self, secret: str) -> None:
        # A key of its own: a cursor's signature must never be one of a token.
        self._key = hashlib.sha256(b"waybill cursor\0" + secret.encode()).digest()

    def write(
        self, user: Principal, chosen: ListFilter, created_at: datetime, task_id: UUID
    ) -> str:
        """A cursor for what comes after the task of this time and id."""
        position = json.dumps([created_at.isoformat(), str(task_id)]).encode()
        signed = self._sign(user, chosen, position) + position
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, user: Principal, chosen: ListFilter, cursor: str) -> tuple[datetime, UUID]:
        """The position in `cursor`.

        Raises:
            BadCursor: not one of ours, or made for another caller or filter.
        """
        try:
            signed = base64.b64decode(
                cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, UnicodeEncodeError):
            raise BadCursor from None
        signature, position = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(user, chosen, position)):
            raise BadCursor
        created_at, task_id = json.loads(position)
        return datetime.fromisoformat(created_at), UUID(task_id)

    def _sign(self, user: Principal, chosen: ListFilter, position: bytes) -> bytes:
        narrowed = [sorted(chosen.statuses), chosen.task_type, chosen.name_part]
        scope = json.dumps([user.tenant, user.user, *narrowed])
        message = scope.encode() + b"\0" + position
        return hmac.digest(self._key, message, "sha256")[:_SIGNATURE_BYTES]
