"""Reconciling slowly, beside everything else: a few files and one page of the listing at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from waybill.infra.files.reconcile import Reconciler, age
from waybill.infra.tasks.lifecycle.objects import FilePosition
from waybill.storage.errors import StorageRejected

log = logging.getLogger(__name__)

#: Files that one step asks the store for.
_FILES = 50
#: Objects without a record that one step deletes.
_DELETIONS = 100
#: After everything was looked at once, nothing is for this long.
_REST = timedelta(hours=1)
#: A worker that tries the store is done within a minute.
_UPLOAD_AGE = timedelta(hours=1)
#: By then the bucket's own rule is due as well.
_LONGER_THAN_FILES = timedelta(days=2)
#: Where more than half of at least this many files are gone, the bucket is in question, not they.
_MANY = 20


class BackgroundReconcile:
    """Compares the bucket with the database in steps that take about a second each.

    It never believes that most files are gone: that is rather a wrong endpoint or a bucket that
    is being restored, and for an operator to decide (`waybill reconcile`). Objects on no record
    are left for as long as any task could have referred to them.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        *,
        retention: timedelta,
        upload_age: timedelta = _UPLOAD_AGE,
        rest: timedelta = _REST,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Objects on no record are deleted two days after `retention`: no task could need them."""
        self._reconciler = reconciler
        self._orphan_age = retention + _LONGER_THAN_FILES
        self._upload_age = upload_age
        self._rest_seconds = rest.total_seconds()
        self._clock = clock
        self._last_file: FilePosition | None = None
        self._last_key = ""
        self._files_at = self._objects_at = self._uploads_at = clock()

    def step(self) -> None:
        """Look at some files, a page of objects, and open uploads, unless the last round is recent.

        Raises:
            StorageError: the store does not answer; the next step looks at the same again.
        """
        if self._clock() >= self._files_at:
            self._look_at_files()
        if self._clock() >= self._objects_at:
            self._look_at_objects()
        if self._clock() >= self._uploads_at:
            self._look_at_uploads()

    def _look_at_files(self) -> None:
        files = self._reconciler.finished_files(self._last_file, _FILES)
        if not files:
            self._last_file, self._files_at = None, self._clock() + self._rest_seconds
            return
        missing = self._reconciler.missing(files)
        if len(files) >= _MANY and len(missing) * 2 > len(files):
            extra = {"alert": True, "files": len(files), "missing": len(missing)}
            log.error("most files missing: run `waybill reconcile`", extra=extra)
        else:
            for item in missing:
                self._reconciler.files.record_missing(item.key)
        self._last_file = files[-1].position

    def _look_at_objects(self) -> None:
        page = self._reconciler.list_after(self._last_key)
        if not page:
            self._last_key, self._objects_at = "", self._clock() + self._rest_seconds
            return
        now = self._reconciler.store_now()
        old = [item for item in page if age(item, now) >= self._orphan_age]
        orphans = self._reconciler.unrecorded(old)[:_DELETIONS] if old else []
        deleted = self._reconciler.delete(orphans)
        if deleted:
            log.warning("objects on no record deleted", extra={"count": deleted})
        # A page with more of them is read again, unless the store refuses to delete them.
        full = len(orphans) == _DELETIONS and deleted > 0
        self._last_key = self._last_key if full else page[-1].key

    def _look_at_uploads(self) -> None:
        # First, since a store may refuse to list uploads, and would again at each step.
        self._uploads_at = self._clock() + self._rest_seconds
        try:
            begun_by = self._reconciler.store_now() - self._upload_age
            aborted = self._reconciler.abort(self._reconciler.unrecorded_uploads(begun_by))
        except StorageRejected:
            # Then the bucket's own rule ends them.
            return
        if aborted:
            log.warning("uploads on no record aborted", extra={"count": aborted})
