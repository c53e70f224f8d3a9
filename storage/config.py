"""Configuration of one S3 bucket: address, credentials, timeouts and retries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from botocore.config import Config

#: The longest life SigV4 allows a signed link. (AWS, "Authenticating Requests: Using Query
#: Parameters"; stores answer 400 to a longer one.)
MAX_LINK_TTL = timedelta(days=7)
#: The region stores other than AWS expect in a signature unless configured otherwise.
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Config:
    """One bucket of one S3 store.

    Raises:
        ValueError: an endpoint is not a plain ``http://host`` or ``https://host``, or one
            of the two keys is given without the other.
    """

    bucket: str
    #: None means AWS itself.
    endpoint_url: str | None = None
    #: The host signed into links, where browsers reach the store by another name.
    public_endpoint_url: str | None = None
    #: None leaves it to the AWS chain, or to `DEFAULT_REGION` for a custom endpoint.
    region: str | None = None
    #: None leaves both keys to the AWS chain: environment, profile, role of the machine.
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    max_link_ttl: timedelta = MAX_LINK_TTL
    #: Tries of one request, the first included, with full-jitter backoff in between.
    attempts: int = 5
    #: To open a connection, and for each 128 KiB sent on a fresh one. botocore's is 60.
    connect_timeout_seconds: float = 10.0
    #: Longest silence while waiting for an answer; a stalled store is dropped after this.
    read_timeout_seconds: float = 30.0
    #: Connections kept; at least as many as threads that use one store at a time.
    max_connections: int = 32

    def __post_init__(self) -> None:
        for url in (self.endpoint_url, self.public_endpoint_url):
            if url is not None and not _is_plain_endpoint(url):
                raise ValueError("an S3 endpoint is http:// or https:// and a host, no more")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("an S3 access key id and its secret come together or not at all")

    def signing_region(self) -> str | None:
        """The region to sign for; None lets boto3 look it up."""
        return self.region or (DEFAULT_REGION if self.endpoint_url else None)

    def client_config(self) -> Config:
        """Settings of a boto3 client. Signatures are always SigV4: SigV2 links can be altered."""
        return Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if self.endpoint_url else "auto"},
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            connect_timeout=self.connect_timeout_seconds,
            read_timeout=self.read_timeout_seconds,
            max_pool_connections=self.max_connections,
            tcp_keepalive=True,
            # A machine's proxy cannot reach the machine's own loopback.
            proxies={} if self.endpoint_url and _is_loopback(self.endpoint_url) else None,
        )


def _is_plain_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port_is_valid
        and "@" not in parts.netloc
        and parts.path in {"", "/"}
        and not (parts.query or parts.fragment)
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
