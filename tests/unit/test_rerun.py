"""Failed tests are run once more alone: unsteady ones pass and are named, others fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import rerun

_UNSTEADY = """
from pathlib import Path
def test_unsteady():
    seen = Path("seen")
    again = seen.exists()
    seen.touch()
    assert again
def test_steady():
    pass
"""


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is used here, and to load them takes seconds."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def _ran(folder: Path, tests: str) -> int:
    """The exit code of pytest for a folder of these tests."""
    (folder / "pytest.ini").touch()
    (folder / "test_some.py").write_text(tests)
    run = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True)
    return run.returncode


def test_a_test_that_passes_alone_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _ran(tmp_path, _UNSTEADY) == 1

    assert rerun.main(tmp_path) == 0

    said = capfd.readouterr().out
    assert "1 passed" in said
    assert "Waybill:\n  test_some.py::test_unsteady\n" in said
    assert "test_steady" not in said


def test_a_test_that_fails_again_fails_the_run(tmp_path: Path) -> None:
    assert _ran(tmp_path, "def test_wrong(): assert 1 + 1 == 3") == 1

    assert rerun.main(tmp_path) == 1


def test_a_file_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    assert _ran(tmp_path, "import absent_module") == 2

    assert rerun.main(tmp_path) == 2


def test_many_failures_are_not_run_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = (f"def test_{number}(): assert False\n" for number in range(rerun.MOST + 1))
    assert _ran(tmp_path, "".join(wrong)) == 1

    assert rerun.main(tmp_path) == 1
    assert capfd.readouterr().out == "4 tests failed; up to 3 would be run again alone.\n"


def test_a_run_without_failures_leaves_nothing_to_run(tmp_path: Path) -> None:
    assert _ran(tmp_path, "def test_right(): pass") == 0

    with pytest.raises(FileNotFoundError):
        rerun.main(tmp_path)
