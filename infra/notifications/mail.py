"""Mail sender: delivers notifications through the installation's mail server."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import Executor
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from email.utils import format_datetime

from waybill.infra.config.notifications import MailServer
from waybill.infra.config.value_types import mail_domain
from waybill.infra.notifications.queue import DeliveryResult, DueNotification
from waybill.infra.notifications.texts import mail_subject, mail_text

#: Timeouts of each step of the SMTP conversation, and of a whole attempt.
_STEP_SECONDS = 10.0
ATTEMPT_SECONDS = 45.0
#: From here on a refusal is permanent. (RFC 5321, 4.2.1.)
_PERMANENT = 500


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
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._sender = sender
        self._executor = executor
        self._public_url = public_url
        self._tls = tls or ssl.create_default_context()

    async def send(self, item: DueNotification) -> DeliveryResult:
        """Make one attempt to deliver `item`. Never raises for faults of the server or network."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._submit, item
                )
        except TimeoutError:
            return DeliveryResult(delivered=False, error="timeout")

    def _submit(self, item: DueNotification) -> DeliveryResult:
        try:
            connection = self._connect()
            try:
                connection.send_message(self._message(item), self._sender, [item.target])
            finally:
                # The connection's own `with` raises when QUIT fails, after the mail was accepted.
                with suppress(smtplib.SMTPException, OSError):
                    connection.quit()
                connection.close()
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[item.target][0])
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
        message = EmailMessage(policy=SMTP_LINES)
        message["From"] = self._sender
        message["To"] = item.target
        message["Subject"] = mail_subject(item)
        message["Date"] = format_datetime(item.created_at)
        # The same at every attempt, so that mail programs recognise a copy.
        message["Message-ID"] = f"<{item.id.hex}@{mail_domain(self._sender)}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail_text(item, self._public_url), cte="quoted-printable")
        return message


def _refused(code: int) -> DeliveryResult:
    return DeliveryResult(
        delivered=False, status=code, error="smtp_refused", final=code >= _PERMANENT
    )
