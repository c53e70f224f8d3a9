"""Probes: whether a part of the installation does what an export needs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa

from waybill.exporter.ports import Source
from waybill.faults import Fault
from waybill.infra.files.object_keys import probe_key
from waybill.infra.sources import Sources
from waybill.infra.sources.names import ROWS
from waybill.storage.store import ObjectStore

#: Raises an error of the part's own fault while the part does not work.
Probes = Mapping[Fault, Callable[[], None]]


def probes_of(store: ObjectStore, sources: Sources, installation: str) -> Probes:
    """One probe for each part that exports depend on."""
    probes = {Fault.STORAGE: partial(probe_store, store, installation)}
    if ROWS in sources:
        probes[Fault.SOURCE] = partial(probe_source, sources[ROWS])
    return probes


def probe_store(store: ObjectStore, installation: str) -> None:
    """Write a byte and delete it: a full store answers every question and takes no file.

    Raises:
        StorageError: the store does not take files.
    """
    key = probe_key(installation)
    with store.open_upload(key, content_type="application/octet-stream") as upload:
        upload.write(b"\0")
    store.delete(key)


def probe_source(source: Source) -> None:
    """Open a query without a table.

    Raises:
        SourceAway: no connection can be made.
    """
    with source.open(sa.select(sa.literal(1)), count=False):
        pass
