"""A file system of its own that can be filled, for servers that shall run out of disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A block of ext4.
_BLOCK = b"\0" * 4096


class SmallDisk:
    """A mounted folder. `fill` leaves no byte of it free, `empty` takes the ballast away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take every block that is free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            state = os.statvfs(self.folder)
            try:
                os.posix_fallocate(ballast.fileno(), 0, state.f_bavail * state.f_frsize * 99 // 100)
                ballast.seek(0, os.SEEK_END)
                while True:
                    ballast.write(_BLOCK)
            except OSError:
                # No space left on device.
                return

    def empty(self) -> None:
        """Give it all back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """An ext4 file system in a sparse file in `folder`, mounted by a loop device.

    Raises:
        CalledProcessError: this user may not mount, or has no loop device.
    """
    # A server that runs as another user has to get through.
    folder.chmod(0o755)
    image, mounted = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    mounted.mkdir()
    # No block is kept back for root.
    _run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", str(image))
    _run("mount", "-o", "loop", str(image), str(mounted))
    try:
        yield SmallDisk(mounted)
    finally:
        _run("umount", "--lazy", str(mounted))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
