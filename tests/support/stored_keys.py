"""The keys in an object store, and an installation that owns them."""

from __future__ import annotations

from typing import Any

from waybill.storage.memory import MemoryStore
from waybill.storage.store import Owner

#: An installation of the tests.
OWNER = Owner("0123456789ab", "exports/0123456789ab/")


def stored_keys(store: Any, prefix: str = "") -> list[str]:
    """The keys that begin with `prefix`, in order; of a `MemoryStore` or an `S3Store`."""
    if isinstance(store, MemoryStore):
        return [key for key in store.stored_keys() if key.startswith(prefix)]
    bucket = store.connection.bucket

    def every_page(client: Any) -> list[str]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    return store.connection.call(every_page)
