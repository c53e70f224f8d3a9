"""Paths that lead to an open descriptor, such as ``/dev/stdout`` and a shell's ``>(…)``."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Where Linux and macOS show the descriptors of a process as files.
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(?P<process>[0-9]+)(/task/[0-9]+)?/fd")
#: As many links as Linux follows in one path. (path_resolution(7))
_MAX_LINKS = 40


def descriptor_path(path: Path) -> Path | None:
    """Where `path`, followed link by link, names an open descriptor; None if it names a file.

    `os.path.realpath` would follow the last link, too, to a name such as ``pipe:[4711]``, or to
    the file behind the descriptor, which must not be replaced.
    """
    for _ in range(_MAX_LINKS):
        folder = Path(os.path.realpath(path.parent))
        path = folder / path.name
        if _DESCRIPTORS.fullmatch(str(folder)):
            return path
        try:
            path = folder / path.readlink()
        except OSError:
            return None
    return None


def own_descriptor(path: Path) -> int | None:
    """The number of the descriptor of this process that `path` leads to; None if to no such."""
    found = descriptor_path(path)
    if found is None or not found.name.isdecimal():
        return None
    folder = _DESCRIPTORS.fullmatch(str(found.parent))
    own = folder is not None and folder["process"] in (None, str(os.getpid()))
    return int(found.name) if own else None
