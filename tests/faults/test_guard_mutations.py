"""Each guard is held by the test that the matrix names for it: without the guard, that test fails.

The named test runs in a session of its own inside this process, with one guard taken out of the
running code.
"""

from __future__ import annotations

import gc
import sys
import warnings
from pathlib import Path

import pytest

from tests.support.mutations.fault_guards import FAULT_GUARDS
from tests.support.mutations.login_guards import LOGIN_GUARDS
from tests.support.mutations.request_guards import REQUEST_GUARDS

TESTS = Path(__file__).parents[1]
#: Nothing of the session around it: neither its processes, nor its plugins for output.
OPTIONS = (
    "-q",
    "--no-header",
    "--no-summary",
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "--hypothesis-profile",
    "fast",
)
MUTATIONS = REQUEST_GUARDS | LOGIN_GUARDS | FAULT_GUARDS


def outcome(test: str) -> int:
    """How a session with this test alone ends. A failing example is not made smaller."""
    ended = pytest.main([*OPTIONS, f"{TESTS}/{test}"])
    # What a failed test has left open is closed here, and is no fault of the next one.
    for name in ("last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return ended


@pytest.mark.mutation
@pytest.mark.parametrize("name", MUTATIONS)
def test_without_this_guard_its_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the guard it passes: the suite runs it as well."""
    mutation = MUTATIONS[name]
    monkeypatch.setattr(mutation.guard, mutation.instead)
    assert outcome(mutation.test) == pytest.ExitCode.TESTS_FAILED
