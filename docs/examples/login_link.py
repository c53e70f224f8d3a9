"""A link that logs a person in to Waybill once, for hosts in a process of their own."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt

import waybill


def export_link(person: waybill.Principal) -> str:
    """Where to send `person`, within two minutes."""
    now = datetime.now(UTC)
    claims = {
        "sub": person.user,
        "tenant": person.tenant,
        "roles": sorted(person.roles),
        "aud": "waybill",
        "iss": "waybill",
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + timedelta(minutes=2),
    }
    headers = {"typ": "waybill-ticket+jwt"}
    ticket = jwt.encode(claims, os.environ["WAYBILL_JWT_SECRET"], "HS256", headers)
    return f"{os.environ['WAYBILL_PUBLIC_URL']}/session#ticket={ticket}"
