"""Signatures of webhooks, as Standard Webhooks 1.0 lays them down, with a secret per tenant.

The secret of a tenant is derived from the installation's, so there is no table of secrets to
leak, and what one tenant knows says nothing about another's. Several installation secrets at
once are a rotation: every one of them signs, and a receiver accepts whichever it knows.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

from waybill.infra.config.notifications import SECRET_PREFIX


class Signer:
    """Signs for any tenant, with every secret that is in force."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._master_keys = tuple(master_keys)

    def secrets_of(self, tenant: str) -> list[str]:
        """The secrets a receiver of `tenant` verifies with; the one to use first."""
        return [SECRET_PREFIX + base64.b64encode(key).decode() for key in self._keys_of(tenant)]

    def headers(self, tenant: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The three headers of one try. `at` is the time of this try, not of the event."""
        timestamp = str(int(at.timestamp()))
        signed = f"{message_id}.{timestamp}.".encode() + body
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
                for key in self._keys_of(tenant)
            ),
        }

    def _keys_of(self, tenant: str) -> list[bytes]:
        label = b"waybill webhook\0" + tenant.encode()
        return [hmac.digest(key, label, "sha256") for key in self._master_keys]
