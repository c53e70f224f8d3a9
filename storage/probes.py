"""Questions that an operator asks of a store, answered by trying: rights, versions, links."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from waybill.storage.endpoints import is_loopback
from waybill.storage.errors import StorageError, StorageRejected
from waybill.storage.objects import abort_upload
from waybill.storage.s3_errors import shown, storage_errors

if TYPE_CHECKING:
    from waybill.storage.s3 import S3Store

_TIMEOUT_SECONDS = 10
#: The sentence in an error document of a store.
_MESSAGE = re.compile(rb"<Message>(.*?)</Message>", re.DOTALL)


def refused_rights(store: S3Store, key: str) -> dict[str, str]:
    """The rights Waybill needs and lacks, by their names in AWS, and what the store says of each.

    Writes an object under `key` and deletes it.

    Raises:
        StorageError: the store cannot be reached.
    """
    refused: dict[str, str] = {}

    def attempt(right: str, request: Callable[[], object]) -> None:
        try:
            request()
        except StorageRejected as error:
            refused[right] = error.message

    attempt("s3:ListBucketMultipartUploads", lambda: list(store.list_uploads(key)))
    attempt("s3:GetObject", lambda: store.head(key))
    if "s3:GetObject" in refused:
        # Every upload ends with a look at what is stored.
        return refused
    attempt("s3:PutObject", lambda: _write(store, key))
    if "s3:PutObject" in refused:
        return refused
    attempt("s3:AbortMultipartUpload", lambda: _begin_and_abort(store, key))
    try:
        store.delete(key)
    except StorageRejected as error:
        kept = store.connection.keeps_versions
        right = "s3:ListBucketVersions and s3:DeleteObjectVersion" if kept else "s3:DeleteObject"
        refused[right] = error.message
    return refused


def keeps_versions(store: S3Store) -> bool:
    """Whether the bucket keeps versions of what is deleted, as far as we may know."""
    with suppress(StorageError):
        answer = store.connection.call(
            lambda client: client.get_bucket_versioning(Bucket=store.connection.bucket)
        )
        return "Status" in answer
    return False


def fetch(url: str) -> tuple[int, bytes, str]:
    """The status, the bytes and the store's sentence that a GET of a link gets.

    It takes the proxy and the certificates that requests to the store take: those of
    HTTPS_PROXY, and of AWS_CA_BUNDLE or ``ca_bundle`` in the AWS configuration.

    Raises:
        StorageError: there is no answer.
    """
    bundle = botocore.session.get_session().get_config_variable("ca_bundle")
    session = URLLib3Session(
        verify=bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True,  # type: ignore[arg-type]  # a file, too
        proxies={} if is_loopback(url) else get_environ_proxies(url),
        timeout=_TIMEOUT_SECONDS,
    )
    with storage_errors():
        answer = session.send(AWSRequest("GET", url).prepare())
    sentence = _MESSAGE.search(answer.content)
    said = shown(sentence[1].decode(errors="replace")) if sentence else ""
    return answer.status_code, answer.content, said


def _write(store: S3Store, key: str) -> None:
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"waybill")


def _begin_and_abort(store: S3Store, key: str) -> None:
    upload = store.open_upload(key, content_type="text/plain").__enter__()
    abort_upload(store.connection, key, upload.upload_id)
