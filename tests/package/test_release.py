"""`make release`: what is not ready is refused in one line; a release has its files and a tag."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import waybill
from tests.support.servers.built_wheel import ROOT

VERSION = waybill.__version__


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this repository with the tree as it is, committed."""
    clone = tmp_path / "clone"
    git(ROOT, "clone", "--quiet", "--local", ".", str(clone))
    changed = git(ROOT, "ls-files", "--modified", "--others", "--exclude-standard").split()
    for name in changed:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((ROOT / name).read_bytes())
        (clone / name).chmod((ROOT / name).stat().st_mode)
    commit(clone)
    return clone


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def commit(clone: Path) -> None:
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "test: as it is")


def release(clone: Path) -> subprocess.CompletedProcess[str]:
    who = {f"GIT_COMMITTER_{part}": "t@example.com" for part in ("NAME", "EMAIL")}
    return subprocess.run(
        [clone / "infra/deploy/release"],
        env=os.environ | who | {"RELEASE_CHECK": "true", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_is_refused_until_it_is_ready_and_then_has_all_its_files(clone: Path) -> None:
    changes = clone / "CHANGELOG.md"
    (clone / "left.txt").write_text("not committed")
    assert "not committed" in release(clone).stderr
    (clone / "left.txt").unlink()
    assert "CHANGELOG.md has no section" in release(clone).stderr
    changes.write_text(changes.read_text().replace("## Unreleased", f"## {VERSION} - 2026-11-30"))
    commit(clone)

    made = release(clone)

    assert made.returncode == 0, made.stderr
    assert {file.name for file in (clone / "dist").iterdir()} == {
        f"waybill_exports-{VERSION}-py3-none-any.whl",
        f"waybill_exports-{VERSION}.tar.gz",
        "sbom.json",
        "SHA256SUMS",
    }
    subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=clone / "dist", check=True
    )
    assert git(clone, "cat-file", "-t", f"v{VERSION}").strip() == "tag"
    assert "is tagged already" in release(clone).stderr
