"""Mail sender: delivers notifications through the installation's mail server."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from waybill.infra.config.notifications import MailServer
from waybill.infra.config.value_types import mail_domain
from waybill.infra.notifications.queue import DeliveryResult, DueNotification
from waybill.infra.notifications.texts import SharePath, mail_subject, mail_text

#: Timeouts of each step of the SMTP conversation, and of a whole attempt.
_STEP_SECONDS = 10.0
ATTEMPT_SECONDS = 45.0
#: From here on a refusal is permanent. (RFC 5321, 4.2.1.)
_PERMANENT = 500
#: A folded link would be encoded, and no link any more. Lines may have 998 characters (RFC 5322).
_LINES = SMTP.clone(max_line_length=998)


class MailSender:
    """Delivers mails; safe to use concurrently.

    A refusal of the sender, recipient or text with 5xx is final. A fault between Waybill and its
    own mail server is not, a wrong password included.
    """

    def __init__(
        self,
        server: MailServer,
        sender: str,
        executor: Executor,
        *,
        public_url: str | None = None,
        domains: Collection[str] | None = None,
        opt_out_url: Callable[[str], str | None] = lambda _: None,
        share_path: SharePath = lambda _: "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`domains` are those that mails to others may go to; None: not judged again.

        `opt_out_url` makes the link in a mail to others, and `share_path` the path of the share
        link in a mail about the run of a schedule.
        """
        self._domains = domains
        self._opt_out_url = opt_out_url
        self._share_path = share_path
        self._server = server
        self._sender = sender
        self._executor = executor
        self._public_url = public_url
        self._tls = tls or ssl.create_default_context()

    async def send(self, item: DueNotification) -> DeliveryResult:
        """Make one attempt to deliver `item`. Never raises for faults of the server or network."""
        if not self._may_go(item):
            return DeliveryResult(delivered=False, error="address_refused", final=True)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._submit, item
                )
        except TimeoutError:
            return DeliveryResult(delivered=False, error="timeout")

    def _may_go(self, item: DueNotification) -> bool:
        """Whether the settings still allow the address."""
        # Older versions did not store whose it is.
        known_foreign = item.detail.get("to_owner") is False
        allowed = self._domains is None or mail_domain(item.target) in self._domains
        return allowed or not known_foreign

    def check(self) -> DeliveryResult:
        """Connect and log in as for a mail, and send none. Blocks."""
        return self._converse(lambda connection: connection.noop())

    def _submit(self, item: DueNotification) -> DeliveryResult:
        return self._converse(
            lambda connection: connection.send_message(
                self._message(item), self._sender, [item.target]
            )
        )

    def _converse(self, step: Callable[[smtplib.SMTP], object]) -> DeliveryResult:
        try:
            connection = self._connect()
            try:
                step(connection)
            finally:
                # The connection's own `with` raises when QUIT fails, after the mail was accepted.
                with suppress(smtplib.SMTPException, OSError):
                    connection.quit()
                connection.close()
        except smtplib.SMTPRecipientsRefused as error:
            [(code, _)] = error.recipients.values()
            return _refused(code)
        except smtplib.SMTPAuthenticationError as error:
            return DeliveryResult(delivered=False, status=error.smtp_code, error="smtp_login")
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            return _refused(error.smtp_code)
        except smtplib.SMTPResponseException as error:
            return DeliveryResult(delivered=False, status=error.smtp_code, error="smtp_failed")
        except smtplib.SMTPException:
            return DeliveryResult(delivered=False, error="smtp_failed")
        except TimeoutError:
            return DeliveryResult(delivered=False, error="timeout")
        except ssl.SSLError:
            return DeliveryResult(delivered=False, error="tls_failed")
        except OSError:
            return DeliveryResult(delivered=False, error="connection_failed")
        return DeliveryResult(delivered=True)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP
        if server.scheme == "smtps":
            connection = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_STEP_SECONDS, context=self._tls
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_STEP_SECONDS)
        try:
            if server.scheme == "starttls":
                # Raises when the server offers no TLS: there is no fallback to plain text.
                connection.starttls(context=self._tls)
            if server.user is not None and server.password is not None:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _message(self, item: DueNotification) -> EmailMessage:
        message = EmailMessage(policy=_LINES)
        message["From"] = self._sender
        message["To"] = item.target
        message["Subject"] = mail_subject(item)
        message["Date"] = format_datetime(item.created_at)
        # The same at every attempt, so that mail programs recognise a copy.
        message["Message-ID"] = f"<{_message_id(item)}@{mail_domain(self._sender)}>"
        message["Auto-Submitted"] = "auto-generated"
        url = None if item.to_owner else self._opt_out_url(item.target)
        if url and url.startswith("https:"):
            # One click in the mail program. (RFC 8058.)
            message["List-Unsubscribe"] = f"<{url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        text = mail_text(item, self._public_url, url, self._share_path)
        message.set_content(text, cte="quoted-printable")
        return message


def _message_id(item: DueNotification) -> str:
    if not item.merged:
        return item.id.hex
    ids = sorted(each.id.bytes for each in (item, *item.merged))
    return hashlib.sha256(b"".join(ids)).hexdigest()[:32]


def _refused(code: int) -> DeliveryResult:
    return DeliveryResult(
        delivered=False, status=code, error="smtp_refused", final=code >= _PERMANENT
    )
