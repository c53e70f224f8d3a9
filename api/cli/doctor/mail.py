"""What `waybill doctor` asks the mail server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.notifications import MailServer
from waybill.infra.notifications.mail import MailSender

#: What the errors of a delivery mean here.
_WHY = {
    "connection_failed": "Nothing answers at the address in WAYBILL_SMTP_URL.",
    "timeout": "The mail server does not answer in time.",
    "smtp_login": "The mail server refuses the user or the password in WAYBILL_SMTP_URL.",
    "tls_failed": "There is no TLS with the mail server, or its certificate is not accepted:"
    " smtps:// is TLS from the start, starttls:// begins without.",
}


class MailUnreachable(WaybillError):
    """The mail server does not take our mails."""

    code = "mail_unreachable"
    retry = True


def check_mail(stack: Stack) -> str:
    """Whether the mail server lets us in. Sends no mail."""
    settings = stack.settings
    if settings.smtp_url is None:
        return "none: WAYBILL_SMTP_URL is not set"
    if settings.smtp_from is None:
        raise MailUnreachable("WAYBILL_SMTP_URL is set and WAYBILL_SMTP_FROM is not: no mail goes.")
    server = MailServer.parse(settings.smtp_url.get_secret_value())
    with ThreadPoolExecutor(1) as threads:
        result = MailSender(server, settings.smtp_from, threads).check()
    if result.error is not None:
        raise MailUnreachable(_WHY.get(result.error, f"It answers {result.status}."))
    return "the server lets us in"
