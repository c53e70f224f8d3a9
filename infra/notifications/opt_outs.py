"""Opt-outs: mailboxes that want no mails which others ask for, and the links that opt out.

A link needs no login and does not expire. It holds the address encrypted and authenticated
(AES-SIV, RFC 5297), so nobody makes one for another mailbox. Mails to the owner of an export go on.
"""

from __future__ import annotations

import base64
import logging
from functools import cached_property

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy.engine import Engine

from waybill.exporter.errors import WaybillError
from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.value_types import MAX_MAIL_ADDRESS_CHARS
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.shared_secret import shared_secret
from waybill.infra.db.tables import mail_opt_out
from waybill.infra.tasks.notifications import EMAIL, receiver_bucket

log = logging.getLogger(__name__)

OPT_OUT_PATH = "/opt-out/"
_PURPOSES = ("mail opt-out, authentication", "mail opt-out, encryption")
_LABEL = [b"waybill mail opt-out v1"]
#: Tag and longest address, in base64.
_MAX_TOKEN_CHARS = 4 * (16 + MAX_MAIL_ADDRESS_CHARS + 2) // 3


class BadOptOutLink(WaybillError):
    """This is no link to opt out of mails."""

    code = "bad_opt_out_link"
    retry = False


class MailOptOuts:
    """The opt-outs of an installation. Safe to use from any thread."""

    def __init__(self, engine: Engine, public_url: str | None = None) -> None:
        self._engine = engine
        self._public_url = public_url

    def link(self, address: str) -> str | None:
        """The link for the reader of `address`; None when nobody can reach this installation."""
        if self._public_url is None:
            return None
        sealed = self._cipher.encrypt(address.encode(), _LABEL)
        token = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return f"{self._public_url}{OPT_OUT_PATH}{token}"

    def address(self, token: str) -> str:
        """The address in the token of a link.

        Raises:
            BadOptOutLink: this installation has not made it.
        """
        if not token.isascii() or len(token) > _MAX_TOKEN_CHARS:
            raise BadOptOutLink
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            return self._cipher.decrypt(sealed, _LABEL).decode()
        except (InvalidTag, ValueError):
            raise BadOptOutLink from None

    def add(self, address: str) -> None:
        """Send no more mails to this mailbox that others ask for. Repeating it changes nothing."""
        with write_transaction(self._engine) as connection:
            row = {"mailbox": _mailbox(address), "at": database_now(connection)}
            connection.execute(insert_ignoring(connection, mail_opt_out), row)
        log.info("a mailbox has opted out of mails")

    def remove(self, address: str) -> None:
        """Take an opt-out back."""
        with write_transaction(self._engine) as connection:
            this = mail_opt_out.c.mailbox == _mailbox(address)
            connection.execute(sa.delete(mail_opt_out).where(this))

    def contains(self, address: str) -> bool:
        """Whether this mailbox has opted out."""
        query = sa.select(mail_opt_out.c.at).where(mail_opt_out.c.mailbox == _mailbox(address))
        with read_transaction(self._engine) as connection:
            return connection.execute(query).first() is not None

    @cached_property
    def _cipher(self) -> AESSIV:
        # In the database, as links have to work for longer than any secret of the settings. Who
        # reads it there could opt a mailbox out, and nothing more.
        secret = shared_secret(self._engine, "mail opt-out")
        return AESSIV(b"".join(derived_key(secret, purpose) for purpose in _PURPOSES))


def _mailbox(address: str) -> str:
    key = receiver_bucket(EMAIL, address)
    assert key is not None  # noqa: S101 - only a notice has none
    return key
