"""Runs the tests that `make test` saw fail once more, one after the other on an idle machine.

A test that passes then is unsteady: it depends on how busy the machine is. It is named, and does
not fail the run. More than `MOST` failed tests are not run again, since the cause is then hardly
the machine. Ends with pytest's exit code, or 1 for more than `MOST`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: CI's runs of 11,860 tests failed by one to three of this kind.
MOST = 3

#: Where pytest's cache plugin keeps the tests that failed when they last ran.
_LAST_FAILED = Path(".pytest_cache", "v", "cache", "lastfailed")


def main(folder: Path) -> int:
    """Run the failed tests of `folder` again; 0 when each of them passes."""
    failed = sorted(json.loads((folder / _LAST_FAILED).read_text()))
    if len(failed) > MOST:
        sys.stdout.write(f"{len(failed)} tests failed; up to {MOST} would be run again alone.\n")
        return 1
    names = "".join(f"  {test}\n" for test in failed)
    sys.stdout.write(f"\nRun again alone:\n{names}")
    sys.stdout.flush()
    # Without a failed test, pytest runs none and ends with 5.
    options = ("--last-failed", "--last-failed-no-failures", "none")
    code = subprocess.run([sys.executable, "-m", "pytest", *options], cwd=folder).returncode
    if code == 0:
        sys.stdout.write(f"\nUnsteady, a defect of the test or of Waybill:\n{names}")
    return code


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
