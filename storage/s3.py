"""The object store on an S3 bucket: AWS, MinIO, SeaweedFS, Ceph and other S3 servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from waybill.storage.bucket import create_if_missing, reach_bucket
from waybill.storage.config import S3Config
from waybill.storage.connection import S3Connection
from waybill.storage.errors import UploadConflict
from waybill.storage.lifecycle import ensure_lifecycle, expiry_rule
from waybill.storage.multipart import MultipartRequests, MultipartUpload
from waybill.storage.objects import (
    abort_upload,
    delete_object,
    head_object,
    list_objects,
    read_object,
)
from waybill.storage.part_run import PartRun
from waybill.storage.parts import Part, check_part_bytes, plan_part_bytes
from waybill.storage.presign import sign_download
from waybill.storage.s3_errors import clock_skew
from waybill.storage.store import (
    LinkMethod,
    ListedObject,
    OpenUpload,
    Owner,
    SignedLink,
    StoredObject,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListMultipartUploadsOutputTypeDef

#: Hosts whose objects have parts of one size. (Cloudflare, "Multipart objects".)
_EQUAL_PARTS_ONLY = ".r2.cloudflarestorage.com"


class S3Store:
    """See `waybill.storage.store.ObjectStore`. Making one connects to nothing."""

    def __init__(self, config: S3Config) -> None:
        #: Every request of the store goes through it.
        self.connection = S3Connection(config)
        self._prompt_connection = S3Connection(config.prompt(), self.connection.clock)
        self._bucket = config.bucket

    def ensure_bucket(self) -> None:
        """Create the bucket if it is missing."""
        create_if_missing(self.connection)

    def ensure_rules(self, owner: Owner, retention_days: int) -> tuple[str, ...]:
        """Set the clean-up rules of `owner`, and return the names of those not set."""
        return ensure_lifecycle(self.connection, owner, retention_days)

    def expiry_rule(self, prefix: str) -> str | None:
        """The id of a rule that deletes objects under `prefix` some day; None without one."""
        return expiry_rule(self.connection, prefix)

    def open_upload(
        self,
        key: str,
        *,
        content_type: str,
        expected_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> MultipartUpload:
        """Begin writing an object, as a multipart upload unless it is expected to be small."""
        size = plan_part_bytes(expected_bytes) if part_bytes is None else part_bytes
        return MultipartUpload(
            self.connection,
            key,
            content_type=content_type,
            part_bytes=check_part_bytes(size),
            in_one=expected_bytes is not None and expected_bytes < size,
        )

    @property
    def takes_unequal_parts(self) -> bool:
        """Cloudflare R2 takes parts of one size only, and so do stores that are configured so."""
        config = self.connection.config
        host = urlsplit(config.endpoint_url or "").hostname or ""
        return not (config.equal_parts or host.endswith(_EQUAL_PARTS_ONLY))

    def begin_shared(self, key: str, content_type: str) -> str:
        """Begin an object whose parts several processes send."""
        return MultipartRequests(self.connection, key).create(content_type)

    def part_run(
        self,
        key: str,
        upload_id: str,
        *,
        first: int,
        most: int,
        part_bytes: int,
        is_last: bool = False,
        before: Sequence[Part] = (),
    ) -> PartRun:
        """What this process writes of it."""
        send = partial(MultipartRequests(self.connection, key).send, upload_id)
        return PartRun(
            send, first=first, most=most, part_bytes=part_bytes, is_last=is_last, before=before
        )

    def complete_shared(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        """Make the object of `parts`."""
        return MultipartRequests(self.connection, key, is_shared=True).complete(upload_id, parts)

    def find_completed(self, key: str, parts: Sequence[Part]) -> StoredObject | None:
        """The object, if it is what `parts` make."""
        return MultipartRequests(self.connection, key).find_completed(parts)

    def head(self, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        return head_object(self.connection, key)

    def find(self, key: str) -> StoredObject | None:
        """The object of that key, or None; with one try."""
        found = head_object(self._prompt_connection, key)
        if found is None:
            # A HEAD is answered in the same way where the whole bucket is missing.
            reach_bucket(self._prompt_connection)
        return found

    def pieces(self, key: str) -> Iterator[bytes]:
        """The bytes of the object, in pieces."""
        return read_object(self.connection, key)

    def list_objects(
        self, prefix: str, *, after: str = "", limit: int = 1000
    ) -> list[ListedObject]:
        """Objects behind `after` whose keys begin with `prefix`."""
        return list_objects(self.connection, prefix, after, limit)

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        delete_object(self.connection, key)

    def abort_uploads(self, key: str) -> int:
        """Abort every open upload of exactly that key."""
        ids = [item.upload_id for item in self.list_uploads(key) if item.key == key]
        return sum(self._abort(key, upload_id) for upload_id in ids)

    def list_uploads(self, prefix: str = "") -> Iterator[OpenUpload]:
        """Every open upload whose key begins with `prefix`."""
        key_marker = upload_id_marker = ""
        while True:
            page = self._page_of_uploads(prefix, key_marker, upload_id_marker)
            for item in page.get("Uploads", []):
                yield OpenUpload(item["Key"], item["UploadId"], item["Initiated"])
            if not page.get("IsTruncated"):
                return
            key_marker = page["NextKeyMarker"]
            upload_id_marker = page.get("NextUploadIdMarker", "")

    def presign(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        ttl: timedelta,
        method: LinkMethod = "GET",
    ) -> SignedLink:
        """A link that downloads the object as `filename`, or describes it."""
        return sign_download(
            self.connection,
            key,
            filename=filename,
            content_type=content_type,
            ttl=ttl,
            method=method,
        )

    def check(self) -> timedelta:
        """Reach the bucket, and return how far the store's clock is ahead of ours."""
        return clock_skew(reach_bucket(self.connection)) or timedelta(0)

    def close(self) -> None:
        """End connections. Safe to call twice."""
        self.connection.close()
        self._prompt_connection.close()

    def _page_of_uploads(
        self, prefix: str, key_marker: str, upload_id_marker: str
    ) -> ListMultipartUploadsOutputTypeDef:
        return self.connection.call(
            lambda client: client.list_multipart_uploads(
                Bucket=self._bucket,
                Prefix=prefix,
                KeyMarker=key_marker,
                UploadIdMarker=upload_id_marker,
            )
        )

    def _abort(self, key: str, upload_id: str) -> bool:
        try:
            abort_upload(self.connection, key, upload_id)
        except UploadConflict:
            return False
        return True
