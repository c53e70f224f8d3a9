"""The number of files and sockets that this process may have open at once."""

from __future__ import annotations

import resource
from contextlib import suppress


def raise_open_files_limit() -> int:
    """Raise the limit as far as this account may, and return it.

    Systems start processes with 1,024 for the sake of programs that use select(2), and allow far
    more. Each connection of a browser takes one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems refuse what they call their own limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
