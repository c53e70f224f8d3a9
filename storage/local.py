"""Writing a local file atomically: whole under its name, or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from waybill.storage.errors import FileNotWritten
from waybill.storage.upload import AtomicWriter


class FileUpload(AtomicWriter):
    """Writes `path` under a temporary name beside it, and renames on the clean exit.

    Until then an existing file keeps its content; on any exception the temporary one is
    removed. The bytes are on the disk before the name is. Devices and pipes, such as
    ``/dev/stdout``, cannot be replaced and are written to directly.

    Entering, writing and leaving raise `FileNotWritten`: no such directory, no right to
    it, no space left. Leaving raises `ChecksumMismatch` if the bytes are not the expected ones.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._shown = path
        # A link keeps pointing where it points: what it points to is replaced.
        self._target = Path(os.path.realpath(path))
        self._part: Path | None = None
        self._file: BinaryIO | None = None
        self._bytes_written = self._crc32 = 0

    def _begin(self) -> None:
        with self._errors():
            mode = _mode_of(self._target)
            if mode is not None and not stat.S_ISREG(mode):
                self._file = self._target.open("wb")
                return
            part = self._target.with_name(f"{self._target.name}.{secrets.token_hex(4)}.part")
            self._file = part.open("xb")
            self._part = part
            if mode is not None:
                part.chmod(stat.S_IMODE(mode))

    def _append(self, data: bytes) -> None:
        with self._errors():
            self._open_file().write(data)
        self._bytes_written += len(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)

    def _publish(self) -> None:
        self._check_expected(self._bytes_written, self._crc32)
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
