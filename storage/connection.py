"""The connection to one S3 store: boto3 clients, shared by threads and renewed with credentials.

It also holds what it has learned about the store, so that a refusal is met once and not each time.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import boto3.session
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError

from waybill.storage.config import S3Config
from waybill.storage.optional_headers import leave_out, may_refuse_headers
from waybill.storage.s3_errors import (
    BUCKET_IN_HOST,
    EXPIRED,
    clock_skew,
    error_code,
    storage_errors,
)
from waybill.storage.store_clock import StoreClock

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: The region in what a request is signed with: ``Credential=<key>/<date>/<region>/s3/…``.
_SIGNED_REGION = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/s3/")
#: A HEAD answer has no body to name the cause, and 400 is what an expired token gets.
_MAY_BE_EXPIRED = EXPIRED | {"400"}


class S3Connection:
    """Makes every request to the store. Opens its clients when they are first needed."""

    def __init__(self, config: S3Config, clock: StoreClock | None = None) -> None:
        """`clock` is shared by the connections to one store."""
        self.config = config
        #: The region of the bucket, once the store has named it.
        self.bucket_region: str | None = None
        #: The region of the last signature on a request for the bucket; botocore changes it
        #: where a store says that another one is right.
        self.signed_region: str | None = None
        #: Whether a deletion has left versions behind: the bucket keeps them, or once did.
        self.keeps_versions = False
        self.clock = clock or StoreClock()
        #: Whether the store refuses optional headers.
        self._plain = False
        self._lock = threading.Lock()
        self._session: boto3.session.Session | None = None
        self._client: S3Client | None = None
        self._plain_client: S3Client | None = None
        self._signer: S3Client | None = None

    @property
    def bucket(self) -> str:
        """The bucket everything happens in."""
        return self.config.bucket

    def call(self, request: Callable[[S3Client], T]) -> T:
        """Make one request.

        Credentials that have expired are looked up again, once. A store that wants the bucket in
        its host name, or no optional headers, gets the request in that way, and every later one.

        Raises:
            StorageError: as `waybill.storage.s3_errors` translates it.
        """
        with storage_errors():
            client = self._ready_client()
            try:
                return request(client)
            except ClientError as error:
                refusal = error
            if error_code(refusal) in _MAY_BE_EXPIRED or self._puts_bucket_in_host(refusal):
                self._forget(client)
                client = self._ready_client()
                try:
                    return request(client)
                except ClientError as error:
                    refusal = error
            if self.is_plain(client) or not may_refuse_headers(refusal):
                raise refusal
            return self._call_plainly(request)

    def is_plain(self, client: S3Client) -> bool:
        """Whether `client`, an argument of a request, leaves out all optional headers."""
        return client is self._plain_client

    def signer(self, region: str) -> tuple[S3Client, datetime | None]:
        """A client that signs links for `region`, and when its credentials expire."""
        with storage_errors(), self._lock:
            if self._signer is None or self._signer.meta.region_name != region:
                config = self.config
                self._signer = self._make(config.public_endpoint_url or config.endpoint_url, region)
            return self._signer, self._credentials_expire_at()

    def link_credentials(self) -> Credentials | ReadOnlyCredentials:
        """What links are signed with.

        Raises:
            StorageRejected: there are none.
        """
        config = self.config
        if config.access_key_id is not None and config.secret_access_key is not None:
            return Credentials(config.access_key_id, config.secret_access_key)
        with storage_errors(), self._lock:
            found = self._ready_session().get_credentials()
            if found is None:
                raise NoCredentialsError()
            return found.get_frozen_credentials()

    def close(self) -> None:
        """End all connections; a later call opens new ones."""
        with self._lock:
            clients = (self._client, self._plain_client, self._signer)
            self._drop()
        for client in clients:
            if client is not None:
                client.close()

    def _puts_bucket_in_host(self, refusal: ClientError) -> bool:
        """Do so if the store wants it and nobody has decided otherwise; whether it is done."""
        if error_code(refusal) not in BUCKET_IN_HOST or self.config.addressing != "auto":
            return False
        try:
            self.config = replace(self.config, addressing="virtual")
        except ValueError:
            return False
        return True

    def _call_plainly(self, request: Callable[[S3Client], T]) -> T:
        answer = request(self._ready_client(plain=True))
        if not self._plain:
            self._plain = True
            logger.info("the store refuses checksum headers; it gets Content-MD5 instead")
        return answer

    def _ready_client(self, *, plain: bool = False) -> S3Client:
        # A client may be shared by threads; making one may not be done by two at once.
        # (boto3 issue 1592.)
        with self._lock:
            if plain or self._plain:
                if self._plain_client is None:
                    self._plain_client = self._make_own()
                    leave_out(self._plain_client)
                return self._plain_client
            if self._client is None:
                self._client = self._make_own()
            return self._client

    def _ready_session(self) -> boto3.session.Session:
        if self._session is None:
            self._session = boto3.session.Session()
        return self._session

    def _make_own(self) -> S3Client:
        client = self._make(self.config.endpoint_url, self.config.first_region())
        client.meta.events.register("before-send.s3.HeadBucket", self._note_region)
        client.meta.events.register("after-call.s3", self._note_time)
        return client

    def _note_region(self, request: AWSPreparedRequest, **_event: object) -> None:
        found = _SIGNED_REGION.search(str(request.headers.get("Authorization")))
        self.signed_region = found[1] if found else self.signed_region

    def _note_time(self, parsed: Mapping[str, Any], **_event: object) -> None:
        self.clock.note(clock_skew(parsed))

    def _make(self, endpoint_url: str | None, region: str | None) -> S3Client:
        config = self.config
        return self._ready_session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            config=config.client_config(),
        )

    def _forget(self, client: S3Client) -> None:
        # Other threads may still be using the old client, so it is left to the collector.
        with self._lock:
            if client in (self._client, self._plain_client):
                self._drop()

    def _drop(self) -> None:
        self._session = self._client = self._plain_client = self._signer = None

    def _credentials_expire_at(self) -> datetime | None:
        if self.config.access_key_id is not None:
            return None
        credentials = self._ready_session().get_credentials()
        if credentials is None:
            return None
        # Reading them renews them if they are about to expire. botocore keeps the end of
        # their life to itself: a test holds it to this name.
        credentials.get_frozen_credentials()
        expiry: datetime | None = getattr(credentials, "_expiry_time", None)
        return expiry
