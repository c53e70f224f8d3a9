"""Bytes in, signed link out.

`S3Store` and `MemoryStore` are the two object stores, `FileUpload` writes a local file with
the same promise, and `EmbeddedS3` runs a real S3 server where there is none.
"""

from __future__ import annotations

from storage.config import MAX_LINK_TTL, S3Config
from storage.disposition import content_disposition
from storage.embedded import EmbeddedS3
from storage.errors import (
    ChecksumMismatch,
    EmbeddedServerError,
    FileNotWritten,
    InvalidFilename,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
    UploadTooLarge,
)
from storage.local import FileUpload
from storage.memory import MemoryStore
from storage.parts import plan_part_bytes
from storage.s3 import S3Store
from storage.store import ObjectStore, OpenUpload, SignedLink, StoredObject, Upload

__all__ = [
    "MAX_LINK_TTL",
    "ChecksumMismatch",
    "EmbeddedS3",
    "EmbeddedServerError",
    "FileNotWritten",
    "FileUpload",
    "InvalidFilename",
    "MemoryStore",
    "ObjectStore",
    "OpenUpload",
    "S3Config",
    "S3Store",
    "SignedLink",
    "StorageError",
    "StorageRejected",
    "StorageUnavailable",
    "StoredObject",
    "Upload",
    "UploadConflict",
    "UploadTooLarge",
    "content_disposition",
    "plan_part_bytes",
]
