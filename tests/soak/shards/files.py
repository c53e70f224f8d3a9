"""What has to be equal in two files of the same rows: every byte, but for the moment of reading."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable

_MANIFEST = "manifest.json"


def likeness(chosen: str, data: bytes) -> str:
    """A digest of the file; of an archive, without the moment that its manifest states.

    Another snapshot has another moment, and so another checksum of the manifest.
    """
    if not chosen.endswith(".zip"):
        return hashlib.sha256(data).hexdigest()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if (broken := archive.testzip()) is not None:
            return f"{broken} is broken"
        manifest = archive.read(_MANIFEST)
        parts = data[: archive.getinfo(_MANIFEST).header_offset]
    return likeness_of_set(manifest, [parts])


def likeness_of_set(manifest: bytes, files: Iterable[bytes]) -> str:
    """A digest of all files of a set in their order, and of their manifest without its moment."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file)
    said = json.loads(manifest)
    del said["snapshot"]
    digest.update(json.dumps(said, sort_keys=True).encode())
    return digest.hexdigest()
