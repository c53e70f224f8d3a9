"""The id of an installation: what its processes share, and another one does not.

It stands in object keys and lifecycle rules, so that installations which share a bucket leave each
other alone. It comes from the task database: a copy of the database has the same id.
"""

from __future__ import annotations

import hashlib

from sqlalchemy.engine import Engine

from waybill.infra.db.shared_secret import shared_secret

#: 48 bits: chosen at random, two of a million installations are equal with 1 in 500.
_DIGITS = 12


def installation_id(engine: Engine) -> str:
    """12 hexadecimal digits, drawn by the first process that asks. No secret."""
    return hashlib.sha256(shared_secret(engine, "installation")).hexdigest()[:_DIGITS]
