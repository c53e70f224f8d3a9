"""What `waybill doctor` asks of the object store, and of the host that its links name."""

from __future__ import annotations

import secrets
from datetime import timedelta
from http import HTTPStatus

import urllib3

from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack

#: More than this makes signed links die early or live too long. (S3 itself refuses 15 min.)
_MAX_SKEW_SECONDS = 60


class ClockSkew(WaybillError):
    """The clocks of this machine and of the object store disagree."""

    code = "clock_skew"
    retry = False


class LinkUnreachable(WaybillError):
    """The host signed into links cannot be reached from here."""

    code = "link_unreachable"
    retry = False


def check_storage(stack: Stack) -> str:
    """Reach the bucket, set its rules and compare the clocks."""
    settings = stack.settings
    not_set = stack.store.ensure_bucket(settings.retention.days)
    skew = abs(stack.store.check().total_seconds())
    if skew > _MAX_SKEW_SECONDS:
        raise ClockSkew(f"The store's clock and ours are {skew:.0f} s apart.")
    rules = f"; lifecycle rules not set: {', '.join(not_set)}" if not_set else ""
    return f"bucket {settings.s3_bucket}, clocks {skew:.0f} s apart{rules}"


def check_signing_host(stack: Stack) -> str:
    """Fetch a probe by a signed link, the way a browser would: through the public host."""
    key = f"probe/{secrets.token_hex(8)}"
    store = stack.store
    store.ensure_bucket(stack.settings.retention.days)
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"waybill")
    try:
        link = store.presign(
            key, filename="probe.txt", content_type="text/plain", ttl=timedelta(minutes=1)
        )
        answer = urllib3.request("GET", link.url, timeout=10, retries=False)
    except urllib3.exceptions.HTTPError:
        raise LinkUnreachable() from None
    finally:
        store.delete(key)
    if answer.status != HTTPStatus.OK or answer.data != b"waybill":
        raise LinkUnreachable(f"The host signed into links answered {answer.status}.")
    return "a signed link was fetched through it"
