"""Signed links: how long they may live, and when they really end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit, urlunsplit

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from waybill.storage.bucket import region_for_links
from waybill.storage.connection import S3Connection
from waybill.storage.disposition import content_disposition
from waybill.storage.errors import StorageUnavailable
from waybill.storage.s3_errors import storage_errors
from waybill.storage.store import LinkMethod, SignedLink

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

#: The store's clock is known to about a second, and by its answer to another request.
_TRUSTED_SKEW = timedelta(seconds=5)
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
    region = region_for_links(connection)
    client, credentials_expire_at = connection.signer(region)
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
        if (now := connection.clock.now()) and abs(now - datetime.now(UTC)) > _TRUSTED_SKEW:
            credentials = connection.link_credentials()
            url = _signed_again(url, method, _DatedAuth(credentials, region, seconds, now))
    return SignedLink(url, _signed_at(url) + timedelta(seconds=seconds))


def _signed_again(url: str, method: LinkMethod, auth: S3SigV4QueryAuth) -> str:
    """`url` with the signature of `auth` in place of the one it has."""
    parts = urlsplit(url)
    own = [item for item in parts.query.split("&") if not item.startswith("X-Amz-")]
    request = AWSRequest(method, urlunsplit(parts._replace(query="&".join(own))))
    auth.add_auth(request)
    return str(request.url)


class _DatedAuth(S3SigV4QueryAuth):
    """botocore's signature of a link, with the date of the store's clock.

    The store reckons the life of the link from that date, by its own clock: dated by a clock that
    is 10 minutes late, a link of 15 minutes would live for 5.
    """

    def __init__(
        self,
        credentials: Credentials | ReadOnlyCredentials,
        region: str,
        seconds: int,
        date: datetime,
    ) -> None:
        super().__init__(credentials, "s3", region, expires=seconds)
        self._date = date

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        # `add_auth` has put the time of this machine there.
        request.context["timestamp"] = self._date.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # not in the stubs


def _signed_at(url: str) -> datetime:
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
