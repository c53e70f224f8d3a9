"""openxml-audit: a validator with the schemas of Open XML, over many workbooks in one process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def errors(books: Mapping[str, bytes], folder: Path) -> str:
    """What the validator says of `books`, by name; empty for nothing. `folder` is its own."""
    folder.mkdir()
    for name, data in books.items():
        (folder / f"{name}.xlsx").write_bytes(data)
    command = [Path(sys.executable).with_name("openxml-audit"), "-q", "-m", "0", "-r"]
    done = subprocess.run(
        [*command, "--ooxml-security", folder], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    return said if said or not done.returncode else f"it ended with {done.returncode}"
