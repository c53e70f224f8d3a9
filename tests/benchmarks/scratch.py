"""Files of peers that can write to a file only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A file system in memory on every Linux that is not very small.
_MEMORY = Path("/dev/shm")  # noqa: S108


@contextmanager
def scratch_file(name: str) -> Iterator[Path]:
    """The path of a file that is not there yet, in memory where that can be."""
    folder = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        yield Path(scratch) / name
