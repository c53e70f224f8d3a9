"""Files read back from the store to their last byte, and held against what their tasks say.

A store that still lists a file with its size may not return it: after a fault it has the record of
an object and not its bytes, or not yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from waybill.infra.tasks.lifecycle.objects import FinishedFile
from waybill.infra.tasks.tree_digest import is_tree_digest
from waybill.storage.errors import StorageError
from waybill.storage.store import ObjectStore

#: Files read at a time: reading costs the store more than a question for the size.
_AT_ONCE = 4

#: The store does not return the bytes, or they are not those that were stored.
Wrong = Literal["unreadable", "damaged"]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What reading one file has shown."""

    file: FinishedFile
    bytes_read: int
    wrong: Wrong | None


def read_back(store: ObjectStore, files: Sequence[FinishedFile]) -> list[ReadBack]:
    """Read every byte of `files`. Holds one piece of each of four files in memory.

    A file in shards has no digest of its own, so only its length is looked at.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda file: _read(store, file), files))


def _read(store: ObjectStore, file: FinishedFile) -> ReadBack:
    digest, count = hashlib.sha256(), 0
    try:
        for piece in store.pieces(file.key):
            digest.update(piece)
            count += len(piece)
    except StorageError:
        return ReadBack(file, count, "unreadable")
    whole = is_tree_digest(file.sha256) or file.sha256 in (None, digest.hexdigest())
    return ReadBack(file, count, None if whole and count == file.size_bytes else "damaged")
