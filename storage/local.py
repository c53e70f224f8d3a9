"""A local file that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from isal import isal_zlib

from waybill.storage.errors import ChecksumMismatch, FileNotWritten


class FileUpload:
    """Writes `path` under a temporary name beside it, and renames on the clean exit.

    Until then an existing file keeps its content; on any exception the temporary one is
    removed. The bytes are on the disk before the name is. Devices and pipes, such as
    ``/dev/stdout``, cannot be replaced and are written to directly.

    Entering, writing and leaving raise `FileNotWritten`: no such directory, no right to
    it, no space left. Leaving raises `ChecksumMismatch` if not what was expected was written.
    """

    def __init__(self, path: Path) -> None:
        self._shown = path
        # A link keeps pointing where it points: what it points to is replaced.
        self._target = Path(os.path.realpath(path))
        self._part: Path | None = None
        self._file: BinaryIO | None = None
        self._bytes_written = self._crc32 = 0
        self._expected: tuple[int, int] | None = None
        #: Set by the first error: after it no path leads to a file of that name.
        self._failure: BaseException | None = None

    @property
    def bytes_uploaded(self) -> int:
        """Bytes handed to the operating system; named as that of `waybill.storage.store.Upload`."""
        return self._bytes_written

    def __enter__(self) -> Self:
        with self._errors():
            mode = _mode_of(self._target)
            if mode is not None and not stat.S_ISREG(mode):
                self._file = self._target.open("wb")
                return self
            part = self._target.with_name(f"{self._target.name}.{secrets.token_hex(4)}.part")
            self._file = part.open("xb")
            self._part = part
            if mode is not None:
                part.chmod(stat.S_IMODE(mode))
        return self

    def write(self, data: bytes) -> None:
        """Append `data`."""
        if self._failure is not None:
            raise self._failure
        try:
            with self._errors():
                self._open_file().write(data)
            self._bytes_written += len(data)
            self._crc32 = isal_zlib.crc32(data, self._crc32)
        except BaseException as error:
            self._failure = error
            raise

    def expect(self, size_bytes: int, crc32: int) -> None:
        """Say what the file has to be; see `waybill.storage.store.Upload.expect`."""
        self._expected = (size_bytes, crc32)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._failure = RuntimeError("the file is closed")
            self._discard()

    def _publish(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._expected not in {None, (self._bytes_written, self._crc32)}:
            raise ChecksumMismatch("What was written is not the file that was rendered.")
        file = self._open_file()
        with self._errors():
            file.flush()
            if self._part is not None:
                os.fsync(file.fileno())
            file.close()
            if self._part is not None:
                self._part.replace(self._target)
                self._part = None
                _sync_directory(self._target.parent)

    def _discard(self) -> None:
        with suppress(OSError):
            self._open_file().close()
        if self._part is not None:
            with suppress(OSError):
                self._part.unlink()

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("the file is not open")
        return self._file

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FileNotWritten(f"Cannot write {self._shown}: {reason}.") from error


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _sync_directory(directory: Path) -> None:
    """Make the new name last, where the file system lets directories be synced."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
