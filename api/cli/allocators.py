"""Memory allocators: an arena for every two cores, and freed memory given back soon.

The blocks of an export are allocated on one thread and freed on another, by three allocators: that
of the C library, jemalloc in Polars, and Arrow's own. By default each has arenas for many times the
threads there are, and what is free in one is no use to the others. With few of them an export peaks
40 MiB lower and takes the same processor time. (Measured; docs/performance.md.)
"""

from __future__ import annotations

import ctypes
import os

#: The number of `mallopt`'s parameter in glibc's ``malloc.h``.
_M_ARENA_MAX = -8

#: Milliseconds until jemalloc gives freed pages back. Otherwise the kernel takes them back
#: whenever it needs them, and counts them as used until then.
_DECAY_MS = 100


def limit_allocators() -> None:
    """Set what the environment leaves open. Call it before Polars and Arrow are loaded."""
    arenas = max(1, (os.cpu_count() or 1) // 2)
    # Arrow's own allocator, mimalloc, has a heap for each thread.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault(
        "_RJEM_MALLOC_CONF", f"narenas:{arenas},dirty_decay_ms:{_DECAY_MS},muzzy_decay_ms:0"
    )
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    # glibc reads that variable before Python starts. Other C libraries have no `mallopt`.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, arenas)
