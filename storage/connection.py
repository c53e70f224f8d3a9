"""The connection to one S3 store: boto3 clients, shared by threads and renewed with credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import boto3.session
from botocore.exceptions import ClientError

from waybill.storage.config import S3Config
from waybill.storage.s3_errors import EXPIRED, error_code, storage_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

#: A HEAD answer has no body to name the cause, and 400 is what an expired token gets.
_MAY_BE_EXPIRED = EXPIRED | {"400"}


class S3Connection:
    """Makes every request to the store. Opens its clients when they are first needed."""

    def __init__(self, config: S3Config) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._session: boto3.session.Session | None = None
        self._client: S3Client | None = None
        self._signer: S3Client | None = None

    @property
    def bucket(self) -> str:
        """The bucket everything happens in."""
        return self.config.bucket

    def call(self, request: Callable[[S3Client], T]) -> T:
        """Make one request. Credentials that have expired are looked up again, once.

        Raises:
            StorageError: as `waybill.storage.s3_errors` translates it.
        """
        with storage_errors():
            client = self._ready_client()
            try:
                return request(client)
            except ClientError as error:
                if error_code(error) not in _MAY_BE_EXPIRED:
                    raise
                self._forget(client)
                return request(self._ready_client())

    def signer(self) -> tuple[S3Client, datetime | None]:
        """A client for signing links, and when the credentials it signs with expire."""
        with storage_errors(), self._lock:
            if self._signer is None:
                config = self.config
                self._signer = self._make(config.public_endpoint_url or config.endpoint_url)
            return self._signer, self._credentials_expire_at()

    def close(self) -> None:
        """End all connections; a later call opens new ones."""
        with self._lock:
            clients = (self._client, self._signer)
            self._session = self._client = self._signer = None
        for client in clients:
            if client is not None:
                client.close()

    def _ready_client(self) -> S3Client:
        # A client may be shared by threads; making one may not be done by two at once.
        # (boto3 issue 1592.)
        with self._lock:
            if self._client is None:
                self._client = self._make(self.config.endpoint_url)
            return self._client

    def _ready_session(self) -> boto3.session.Session:
        if self._session is None:
            self._session = boto3.session.Session()
        return self._session

    def _make(self, endpoint_url: str | None) -> S3Client:
        config = self.config
        return self._ready_session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=config.signing_region(),
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            config=config.client_config(),
        )

    def _forget(self, client: S3Client) -> None:
        # Other threads may still be using the old client, so it is left to the collector.
        with self._lock:
            if self._client is client:
                self._session = self._client = self._signer = None

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
