"""Webhook signatures by Standard Webhooks 1.0, with a secret for each tenant.

A tenant's secret is derived from the installation's, so there is no table of secrets to leak, and
one tenant's secret says nothing about another's. During a rotation the installation has several
secrets: each of them signs, and a receiver accepts whichever it knows.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from waybill.infra.config.notifications import SECRET_PREFIX


class Signer:
    """Signs webhooks of any tenant with every secret in force."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        """`master_keys` are the installation's secrets, the current one first."""
        self.master_keys = tuple(master_keys)

    def secrets_of(self, tenant: str) -> list[str]:
        """The ``whsec_…`` secrets that receivers of `tenant` verify with, the current one first."""
        return [SECRET_PREFIX + base64.b64encode(key).decode() for key in self._keys_of(tenant)]

    def headers(self, tenant: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The three headers of one attempt, made at `at`; `body` is UTF-8."""
        # In UTC, because the library reads the clock time of `at` as if it were UTC.
        moment = at.astimezone(UTC)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(
                Webhook(key).sign(message_id, moment, body.decode())
                for key in self._keys_of(tenant)
            ),
        }

    def _keys_of(self, tenant: str) -> list[bytes]:
        label = b"waybill webhook\0" + tenant.encode()
        return [hmac.digest(key, label, "sha256") for key in self.master_keys]
