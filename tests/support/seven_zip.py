"""7-Zip and libarchive, which read protected files independently of us."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Refused(Exception):
    """The reader does not open the file: a wrong password, or changed bytes."""


def read_with_7zip(archive: Path, password: str) -> bytes:
    """The one file in `archive`, whole and authenticated.

    Raises:
        Refused.
    """
    return _output(["7zz", "x", "-so", f"-p{password}", str(archive)])


def listed_by_7zip(archive: Path) -> dict[str, str]:
    """What 7-Zip says of the one file in `archive`, by its own names: Path, Size, Method."""
    text = _output(["7zz", "l", "-slt", str(archive)]).decode()
    lines = text.partition("----------\n")[2].splitlines()
    return {key: value for key, mark, value in (line.partition(" = ") for line in lines) if mark}


def read_with_libarchive(archive: Path, password: str) -> bytes:
    """As `read_with_7zip`, by bsdtar."""
    return _output(["bsdtar", "-x", "-O", "--passphrase", password, "-f", str(archive)])


def _output(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    if done.returncode:
        raise Refused((done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout
