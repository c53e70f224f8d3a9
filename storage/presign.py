"""Signed links: how long they may live, and when they really end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from waybill.storage.bucket import region_for_links
from waybill.storage.connection import S3Connection
from waybill.storage.disposition import content_disposition
from waybill.storage.errors import StorageUnavailable
from waybill.storage.s3_errors import storage_errors
from waybill.storage.store import LinkMethod, SignedLink

#: X-Amz-Expires counts whole seconds, and botocore signs 0 and -5 without complaint.
MIN_LINK_TTL = timedelta(seconds=1)


def bounded_ttl(ttl: timedelta, limit: timedelta) -> timedelta:
    """`ttl` in whole seconds, and no longer than `limit`.

    Raises:
        ValueError: `ttl` is under a second.
    """
    if ttl < MIN_LINK_TTL:
        raise ValueError("a signed link lives for one second at least")
    return timedelta(seconds=min(ttl, limit) // timedelta(seconds=1))


def sign_download(
    connection: S3Connection,
    key: str,
    *,
    filename: str,
    content_type: str,
    ttl: timedelta,
    method: LinkMethod = "GET",
) -> SignedLink:
    """Sign a GET or a HEAD of `key` for the public endpoint; see `ObjectStore.presign`."""
    disposition = content_disposition(filename, key)
    client, credentials_expire_at = connection.signer(region_for_links(connection))
    limit = connection.config.max_link_ttl
    if credentials_expire_at is not None:
        # A link dies with the temporary credentials that signed it, whatever it says.
        limit = min(limit, credentials_expire_at - datetime.now(UTC))
        if limit < MIN_LINK_TTL:
            raise StorageUnavailable("The object store's credentials are about to expire.")
    seconds = int(bounded_ttl(ttl, limit).total_seconds())
    with storage_errors():
        url = client.generate_presigned_url(
            "get_object" if method == "GET" else "head_object",
            Params={
                "Bucket": connection.bucket,
                "Key": key,
                "ResponseContentDisposition": disposition,
                "ResponseContentType": content_type,
            },
            ExpiresIn=seconds,
        )
    return SignedLink(url, _signed_at(url) + timedelta(seconds=seconds))


def _signed_at(url: str) -> datetime:
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
