"""Every process of the command line limits its memory allocators, unless its environment does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os
import waybill.api.cli
import pyarrow
print(pyarrow.default_memory_pool().backend_name, os.environ["_RJEM_MALLOC_CONF"])
"""


@pytest.mark.parametrize(
    ("chosen", "pool", "jemalloc"),
    [
        ({}, "system", f"narenas:{max(1, (os.cpu_count() or 1) // 2)},"),
        ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc", "narenas:"),
        ({"_RJEM_MALLOC_CONF": "narenas:7", "MALLOC_ARENA_MAX": "7"}, "system", "narenas:7"),
    ],
)
def test_f106_allocators_are_limited_unless_the_environment_says_otherwise(
    chosen: dict[str, str], pool: str, jemalloc: str
) -> None:
    shown = subprocess.check_output([sys.executable, "-c", _PROGRAM], text=True, env=chosen)
    used, options = shown.split()
    assert used == pool
    assert options.startswith(jemalloc)
