"""One side of one comparison, in a process of its own: so its peak memory is its own.

A side is a function ``module.side(**options)`` that returns its figures. What the kernel
counted for the whole process is added to them.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def run_side(module: str, side: str, **options: Any) -> Figures:
    """The figures of ``tests.benchmarks.<module>.<side>(**options)``, from a fresh process.

    Raises:
        RuntimeError: the process failed; the text is what it wrote.
    """
    request = json.dumps({"module": module, "side": side, "options": options})
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name],
            input=request,
            capture_output=True,
            text=True,
            check=False,
            # Compiled modules would be counted among the temporary bytes on disk.
            env=os.environ | {"TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    if done.returncode:
        raise RuntimeError(f"{module}.{side} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """What the fresh process does: one request on standard input, one answer on the output."""
    request = json.load(sys.stdin)
    # A process like those of the command line.
    importlib.import_module("waybill.api.cli")
    module = importlib.import_module(f"tests.benchmarks.{request['module']}")
    before = _count("io", "write_bytes")
    figures = getattr(module, request["side"])(**request["options"])
    figures["disk_bytes"] = _count("io", "write_bytes") - before
    # Unlike `getrusage`, not the parent's peak too.
    figures["peak_mib"] = _count("status", "VmHWM") / 1024
    sys.stdout.write(json.dumps(figures) + "\n")


def _count(file: str, name: str) -> int:
    lines = Path(f"/proc/self/{file}").read_text().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(value)


if __name__ == "__main__":
    main()
