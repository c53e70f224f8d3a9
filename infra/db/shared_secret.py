"""A secret that all processes of one installation share, because they share its database."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import shared_secret as table

_SECRET_BYTES = 32


def shared_secret(engine: Engine, name: str) -> bytes:
    """The secret called `name`, drawn by the first process that asks; 32 bytes.

    A reader of the task database knows it: it must not sign anything that opens more than that.
    """
    with read_transaction(engine) as connection:
        stored = _stored(connection, name)
    if stored is None:
        with write_transaction(engine) as connection:
            row = {"name": name, "secret": secrets.token_hex(_SECRET_BYTES)}
            connection.execute(insert_ignoring(connection, table), row)
            stored = _stored(connection, name)
    return bytes.fromhex(stored or "")


def _stored(connection: Connection, name: str) -> str | None:
    query = sa.select(table.c.secret).where(table.c.name == name)
    return connection.execute(query).scalar_one_or_none()
