"""What `waybill doctor` says of secrets, and of settings that let others in."""

from __future__ import annotations

import secrets
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.addresses import leaves_machine
from waybill.infra.config.settings import Settings
from waybill.infra.config.weak_secrets import weak_secrets
from waybill.storage.errors import StorageError
from waybill.storage.probes import fetch

#: As if the API listened for other machines: secrets fit for loopback alone are named.
_ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens here


class InsecureInstallation(WaybillError):
    """A secret is an example or easy to guess, or the bucket is open to anybody."""

    code = "insecure_installation"
    retry = False


def check_secrets(stack: Stack) -> str:
    """Secrets nobody guesses, a bucket that asks for signatures, and what else stands open."""
    if weak := weak_secrets(stack.settings, _ANYWHERE):
        raise InsecureInstallation(
            f"{', '.join(weak)}: an example, or easy to guess. Draw another one."
        )
    _ask_without_signature(stack)
    notes = _open_settings(stack.settings)
    return "; ".join(["none is guessable, and the bucket asks for signatures", *notes])


def _ask_without_signature(stack: Stack) -> None:
    key = f"probe/{secrets.token_hex(8)}"
    store = stack.store
    store.ensure_bucket()
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"waybill")
    try:
        link = store.presign(
            key, filename="probe.txt", content_type="text/plain", ttl=timedelta(minutes=1)
        )
        file = urlsplit(link.url)._replace(query="").geturl()
        for url in (file, file.removesuffix(key)):
            status, _, _ = fetch(url)
            if status == HTTPStatus.OK:
                raise InsecureInstallation("The bucket answers without a signature: close it.")
    except StorageError:
        # The check of the signing host says that it cannot be reached.
        return
    finally:
        store.delete(key)


def _open_settings(settings: Settings) -> list[str]:
    """What is meant for development, or sends secrets in the clear; one line each."""
    smtp = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    notes = []
    if settings.webhook_allow_private:
        notes.append("WAYBILL_WEBHOOK_ALLOW_PRIVATE lets webhooks reach internal addresses")
    if smtp.startswith("smtp:") and leaves_machine(smtp):
        notes.append("WAYBILL_SMTP_URL sends mails in the clear")
    for name, url in (
        ("WAYBILL_PUBLIC_URL", settings.public_url),
        ("WAYBILL_S3_PUBLIC_ENDPOINT_URL", settings.s3_public_endpoint_url),
        ("WAYBILL_S3_ENDPOINT_URL", settings.s3_endpoint_url),
    ):
        if (url or "").startswith("http:") and leaves_machine(url):
            notes.append(f"{name} is plain http")
    return notes
