"""Signatures of webhooks, as Standard Webhooks 1.0 lays them down, with a secret per tenant.

The secret of a tenant is derived from the installation's, so there is no table of secrets to
leak, and what one tenant knows says nothing about another's. Several installation secrets at
once are a rotation: every one of them signs, and a receiver accepts whichever it knows.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - the name of a form, no secret
#: The specification allows secrets of 24 to 64 bytes.
_MIN_BYTES, _MAX_BYTES = 24, 64


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in ``whsec_…,whsec_…``, the current one first.

    Raises:
        ValueError: one of them is no such secret. It is not repeated.
    """
    return tuple(_parse(item.strip()) for item in text.split(","))


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


def _parse(text: str) -> bytes:
    try:
        if not text.startswith(SECRET_PREFIX):
            raise ValueError
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"must be {SECRET_PREFIX} and base64, separated by commas") from None
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"must hold {_MIN_BYTES} to {_MAX_BYTES} bytes each")
    return key
