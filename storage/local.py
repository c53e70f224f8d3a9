"""Writing a local file: whole under its name or not at all, or straight into an open descriptor."""

from __future__ import annotations

import errno
import os
import secrets
import select
import stat
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from waybill.storage.descriptors import descriptor_path, own_descriptor
from waybill.storage.errors import FileNotWritten
from waybill.storage.upload import AtomicWriter

#: What file systems say to a name that they cannot hold.
_BAD_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


def local_upload(path: str) -> FileUpload | DescriptorUpload:
    """What writes `path`, where ``-`` is standard output.

    A path that leads to an open descriptor of this process, such as ``/dev/stdout`` or the
    ``/dev/fd/63`` of a shell's ``>(…)``, continues what was written there; every other one is a
    file.
    """
    if path == "-":
        return DescriptorUpload(1, "standard output")
    descriptor = own_descriptor(Path(path))
    return FileUpload(Path(path)) if descriptor is None else DescriptorUpload(descriptor, path)


def leaves_nothing(path: str) -> bool:
    """Whether an upload to `path` that fails has written nothing anybody can see.

    Not so where the bytes go straight into a pipe, a device or an open descriptor.
    """
    if path == "-" or own_descriptor(Path(path)) is not None:
        return False
    if descriptor_path(Path(path)) is not None:
        return False
    mode = _mode_of(Path(path))
    return mode is None or stat.S_ISREG(mode)


class _LocalUpload(AtomicWriter):
    """Counts what is written, and says which file could not be.

    A `BrokenPipeError` is passed on as it is: the reader of a pipe had enough.
    """

    def __init__(self, shown: object) -> None:
        super().__init__()
        self._shown = shown
        self._bytes_written = self._crc32 = 0

    def _append(self, data: bytes) -> None:
        with self._errors():
            self._write(data)
        self._bytes_written += len(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)

    def _publish(self) -> None:
        self._check_expected(self._bytes_written, self._crc32)
        with self._errors():
            self._finish()

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Write all of `data`."""

    @abstractmethod
    def _finish(self) -> None:
        """Make what was written last."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FileNotWritten(f"Cannot write {self._shown}: {reason}.") from error


class DescriptorUpload(_LocalUpload):
    """Writes to a descriptor that this process was started with, from where it stands.

    Several commands can write one file in turn (``( … ; … ) > both.csv``), and what a file held
    before stays (``>> all.csv``). Bytes cannot be taken back: after an error, what was written
    stays, and only the exit code tells. Entering, writing and leaving raise `FileNotWritten`, or
    `BrokenPipeError` once nobody reads.
    """

    def __init__(self, descriptor: int, shown: str) -> None:
        super().__init__(shown)
        self._descriptor = descriptor

    def _begin(self) -> None:
        with self._errors():
            os.fstat(self._descriptor)
            # A connection or a database file of our own, which got this number by chance.
            if not os.get_inheritable(self._descriptor):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # A program that shares the pipe has set it so.
                select.select([], [self._descriptor], [])

    def _finish(self) -> None:
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.fsync(self._descriptor)

    def _discard(self) -> None:
        pass


class FileUpload(_LocalUpload):
    """Writes `path` under a temporary name beside it, and renames on the clean exit.

    Until then an existing file keeps its content; on any exception the temporary one is
    removed. The bytes are on the disk before the name is. Devices and named pipes cannot be
    replaced and are written to directly.

    Entering, writing and leaving raise `FileNotWritten`: no such directory, no right to
    it, no space left. Leaving raises `ChecksumMismatch` if the bytes are not the expected ones.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        descriptor = descriptor_path(path)
        self._of_another_process = descriptor is not None
        # A link keeps pointing where it points: what it points to is replaced. A descriptor of
        # another process is no link to a file, though it looks like one.
        self._target = descriptor or Path(os.path.realpath(path))
        self._part: Path | None = None
        self._file: BinaryIO | None = None

    def _begin(self) -> None:
        try:
            with self._errors():
                self._open()
        except BaseException:
            self._discard()
            raise

    def _open(self) -> None:
        mode = _mode_of(self._target)
        if self._of_another_process:
            # Appended, since that process goes on to write there.
            self._file = self._target.open("ab")
        elif mode is None or stat.S_ISREG(mode):
            self._file = self._open_part(0o666 if mode is None else stat.S_IMODE(mode))
            if mode is not None:
                # Adds the rights that the umask took. Some file systems know no rights.
                with suppress(OSError):
                    os.fchmod(self._file.fileno(), stat.S_IMODE(mode))
        else:
            self._file = self._target.open("wb")

    def _open_part(self, mode: int) -> BinaryIO:
        """A new file beside the target; nobody may read it who may not read the target."""
        unique = secrets.token_hex(4)
        try:
            return self._create_part(f"{self._target.name}.{unique}.part", mode)
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
        # The target's own name is as long as a name can be here.
        return self._create_part(f"{unique}.prt", mode)

    def _create_part(self, name: str, mode: int) -> BinaryIO:
        part = self._target.with_name(name)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
        self._part = part
        return os.fdopen(descriptor, "wb")

    def _write(self, data: bytes) -> None:
        self._open_file().write(data)

    def _finish(self) -> None:
        file = self._open_file()
        file.flush()
        if self._part is not None:
            os.fsync(file.fileno())
        file.close()
        if self._part is not None:
            self._part.replace(self._target)
            self._part = None
            _sync_directory(self._target.parent)

    def _discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._part is not None:
            with suppress(OSError):
                self._part.unlink()

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("the file is not open")
        return self._file


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
