"""moto's S3 inside the process: botocore's requests are answered before they reach a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

#: AWS itself, in name: a custom endpoint would not be intercepted.
_CONFIG = S3Config(
    bucket="waybill-tests",
    region="eu-central-1",
    access_key_id="moto",
    secret_access_key="moto",
)


@pytest.fixture
def moto_store() -> Iterator[S3Store]:
    """An object store on an empty bucket of its own. Needs neither a server nor a socket."""
    with mock_aws():
        store = S3Store(_CONFIG)
        store.ensure_bucket()
        yield store
        store.close()
