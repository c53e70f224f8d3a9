"""What `waybill doctor` asks of the object store, and of the host that its links name."""

from __future__ import annotations

import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings, DatabaseUnavailable
from waybill.infra.config.store_settings import EMBEDDED
from waybill.storage.endpoints import is_loopback
from waybill.storage.errors import StorageError
from waybill.storage.lifecycle import other_installations
from waybill.storage.probes import fetch, keeps_versions, refused_rights
from waybill.storage.s3 import S3Store

#: What follows from a right that is missing, where its name does not say so.
_CONSEQUENCES = {
    "s3:ListBucketMultipartUploads": "what a killed worker has uploaded stays for two days",
    "s3:AbortMultipartUpload": "what a failed export has uploaded stays for two days",
    "s3:PutObject": "no export can be stored; if the bucket demands encryption, WAYBILL_S3_SSE "
    "names it",
    "s3:GetObject": "no link can be followed",
    "s3:DeleteObject": "no file is ever deleted",
    "s3:ListBucketVersions and s3:DeleteObjectVersion": "no file is ever deleted",
}


class WrongRegion(WaybillError):
    """The bucket is in another region than the one that links are signed for."""

    code = "wrong_region"
    retry = False


class RightsMissing(WaybillError):
    """The credentials lack rights to the bucket."""

    code = "rights_missing"
    retry = False


class LinkUnreachable(WaybillError):
    """The host signed into links cannot be reached from here."""

    code = "link_unreachable"
    retry = False


def check_storage(stack: Stack) -> str:
    """Reach the bucket, set its rules and compare region and clocks."""
    store, settings = _s3(stack), stack.settings
    store.ensure_bucket()
    seconds = abs(stack.check_storage().total_seconds())
    region, configured = store.connection.bucket_region, store.connection.config.region
    if configured and region and region != configured:
        raise WrongRegion(
            f"The bucket is in the region {region}, and links are signed for {configured}: "
            "WAYBILL_S3_REGION has to be the bucket's."
        )
    kept = "; it keeps versions, and a deletion deletes them all" if keeps_versions(store) else ""
    rules = _rules(stack, store)
    return f"bucket {settings.s3_bucket} in {region}, clocks {seconds:.0f} s apart{kept}{rules}"


def _rules(stack: Stack, store: S3Store) -> str:
    """Set our rules, and find those of others; the task database says which are ours."""
    try:
        stack.check_database(tables=True)
    except DatabaseUnavailable:
        return "; lifecycle rules not looked at: the task database does not say whose they are"
    if not_set := store.ensure_rules(stack.owner, stack.settings.retention.days):
        return f"; lifecycle rules not set: {', '.join(not_set)}"
    others = other_installations(store.connection, stack.owner)
    if not others:
        return ""
    return (
        f"; shared with the installation {', '.join(others)}: set another WAYBILL_S3_BUCKET unless"
        " that is meant"
    )


def check_rights(stack: Stack) -> str:
    """Use every right that exports and the sweeper need, on an object of our own."""
    store = _s3(stack)
    store.ensure_bucket()
    refused = refused_rights(store, _probe_key())
    if refused:
        raise RightsMissing(
            " ".join(
                f"{right} is missing ({_CONSEQUENCES[right]}). {said}"
                for right, said in refused.items()
            )
        )
    return "write, read, list and delete"


def check_signing_host(stack: Stack) -> str:
    """Fetch a probe by a signed link, the way a browser would: through the public host."""
    settings = stack.settings
    if settings.s3_endpoint_url == EMBEDDED and settings.s3_public_endpoint_url:
        raise BadSettings(
            "WAYBILL_S3_PUBLIC_ENDPOINT_URL is not used with the embedded store: remove it, or set"
            " WAYBILL_S3_ENDPOINT_URL to a store of yours."
        )
    key, store = _probe_key(), _s3(stack)
    store.ensure_bucket()
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"waybill")
    try:
        link = store.presign(
            key, filename="probe.txt", content_type="text/plain", ttl=timedelta(minutes=1)
        )
        _check_for_browsers(settings.public_url, link.url)
        status, data, said = fetch(link.url)
    except StorageError as error:
        raise LinkUnreachable(f"{LinkUnreachable.__doc__} {error.message}") from None
    finally:
        store.delete(key)
    if status != HTTPStatus.OK or data != b"waybill":
        reason = f" It says: {said}." if said else ""
        raise LinkUnreachable(f"The host signed into links answered {status}.{reason}")
    return "a signed link was fetched through it"


def _check_for_browsers(page: str | None, link: str) -> None:
    """Whether a browser on the page at `page` would follow a link to `link`.

    Raises:
        LinkUnreachable: it would not.
    """
    if page is None or (is_loopback(page) and is_loopback(link)):
        return
    host = urlsplit(link).hostname
    if page.startswith("https:") and link.startswith("http:"):
        raise LinkUnreachable(
            f"WAYBILL_PUBLIC_URL is https and the links begin with http://{host}: browsers block "
            "such downloads as mixed content. WAYBILL_S3_PUBLIC_ENDPOINT_URL has to be https too."
        )
    if is_loopback(link):
        raise LinkUnreachable(
            f"The links name {host}, which leads other people to their own machines. "
            "WAYBILL_S3_PUBLIC_ENDPOINT_URL has to be a host that they reach."
        )


def _probe_key() -> str:
    return f"probe/{secrets.token_hex(8)}"


def _s3(stack: Stack) -> S3Store:
    return cast(S3Store, stack.store)
