"""An environment with the wheel of an earlier commit."""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from tests.support.servers.built_wheel import ROOT, environment_with


def python_of_commit(commit: str, folder: Path) -> Path:
    """The interpreter of an environment with the wheel of `commit`, beside our own packages.

    The editable install is not there: path files of that folder are not read. Skips the test in a
    clone without that commit.
    """
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=False, capture_output=True)
    if packed.returncode:
        pytest.skip(f"This clone has no commit {commit}: fetch the whole history to test it.")
    source = folder / "source"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(source, filter="tar")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    python, site = environment_with(wheel, folder / "venv")
    (site / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python
