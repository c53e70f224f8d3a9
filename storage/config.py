"""Configuration of one S3 bucket: address, credentials, timeouts and retries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, Self

from botocore.config import Config

from waybill.storage.endpoints import check_endpoint, check_virtual_addressing, is_loopback

#: The longest life SigV4 allows a signed link. (AWS, "Authenticating Requests: Using Query
#: Parameters"; stores answer 400 to a longer one.)
MAX_LINK_TTL = timedelta(days=7)
#: The region stores other than AWS expect in a signature unless configured otherwise.
DEFAULT_REGION = "us-east-1"

Addressing = Literal["auto", "path", "virtual"]
#: Values of the header x-amz-server-side-encryption.
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]


@dataclass(frozen=True, slots=True)
class S3Config:
    """One bucket of one S3 store.

    Raises:
        ValueError: an endpoint is not the address of an S3 server, or settings that belong
            together contradict each other.
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
    #: Whether the bucket stands in the path or in the host name, of requests and of links.
    #: ``auto`` is botocore's choice for AWS, and the path for every other server.
    addressing: Addressing = "auto"
    #: The encryption each new object is stored with. None leaves it to the bucket.
    encryption: Encryption | None = None
    #: The key of ``aws:kms``; None means the one that the store keeps for us.
    kms_key_id: str | None = None
    #: Parts of one object have to be of one size. Of Cloudflare R2 it is known by its host.
    equal_parts: bool = False
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
            if url is not None:
                check_endpoint(url)
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("an S3 access key id and its secret come together or not at all")
        if self.addressing == "virtual":
            check_virtual_addressing(self.bucket, self.endpoint_url, self.public_endpoint_url)
        if self.kms_key_id is not None and not (self.encryption or "").startswith("aws:kms"):
            raise ValueError("a KMS key is for the encryptions aws:kms and aws:kms:dsse")

    def first_region(self) -> str | None:
        """The region that requests are signed for until the store names another.

        None lets boto3 ask the AWS chain.
        """
        return self.region or (DEFAULT_REGION if self.endpoint_url else None)

    def prompt(self) -> Self:
        """The same store, asked once and not waited for: three seconds without an answer end it."""
        return replace(self, attempts=1, connect_timeout_seconds=1.0, read_timeout_seconds=2.0)

    def client_config(self) -> Config:
        """Settings of a boto3 client. Signatures are always SigV4: SigV2 links can be altered."""
        return Config(
            signature_version="s3v4",
            s3={"addressing_style": self._addressing_style()},
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            connect_timeout=self.connect_timeout_seconds,
            read_timeout=self.read_timeout_seconds,
            max_pool_connections=self.max_connections,
            tcp_keepalive=True,
            # A machine's proxy cannot reach the machine's own loopback.
            proxies={} if self.endpoint_url and is_loopback(self.endpoint_url) else None,
        )

    def _addressing_style(self) -> Addressing:
        return "path" if self.endpoint_url and self.addressing == "auto" else self.addressing
