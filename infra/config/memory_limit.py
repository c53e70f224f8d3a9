"""How much memory this process may take: the limit of its container, or the machine's memory.

Containers are limited by control groups. Version 2 has one tree, with ``memory.max`` in each
group; version 1 has a tree for memory alone, with ``memory.limit_in_bytes`` (kernel
documentation, ``admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``). The limits of all groups
above hold too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TREES = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def machine_memory() -> int:
    """The memory of the machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def container_limit(trees: Path = _TREES, membership: Path = _MEMBERSHIP) -> int | None:
    """The least limit of this process's control groups in bytes; None without one.

    Version 1 writes "no limit" as a number beyond any machine's memory: compare it with that.
    """
    limits = [limit for file in _limit_files(trees, membership) if (limit := _read(file))]
    return min(limits, default=None)


def available_memory() -> int:
    """The smaller one of `container_limit` and `machine_memory`."""
    return min(machine_memory(), container_limit() or machine_memory())


def _limit_files(trees: Path, membership: Path) -> Iterator[Path]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        # hierarchy:controllers:path
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            # Beside trees of version 1, that of version 2 has a place of its own.
            yield from _upwards(trees, path, "memory.max")
            yield from _upwards(trees / "unified", path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _upwards(trees / "memory", path, "memory.limit_in_bytes")


def _upwards(tree: Path, path: str, name: str) -> Iterator[Path]:
    """The files called `name` of the group at `path` and all above it.

    Inside a container the path may be one that only its host can see.
    """
    group = tree / path.lstrip("/")
    yield group / name
    for above in group.parents:
        if not above.is_relative_to(tree):
            return
        yield above / name


def _read(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
