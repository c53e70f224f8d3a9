"""The wheel needs what it requires, and nothing that our own environment happens to have."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.support.distributions import canonical, closure, requirements_of

#: What is read and written by the extras that tests reach; each warehouse has a driver of its own.
EXTRAS = (
    "server",
    "postgresql",
    "mysql",
    "duckdb",
    "flightsql",
    "clickhouse",
    "embedded",
    "template",
    "demo",
    "tracing",
)
#: `waybill.submit` is imported at its first use.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.modules |= dict.fromkeys(json.loads(sys.argv[1]))
import waybill
for module in pkgutil.walk_packages(waybill.__path__, "waybill."):
    if not module.name.endswith("__main__") and ".migrations." not in module.name:
        importlib.import_module(module.name)
assert waybill.submit
"""


def test_every_module_is_imported_with_the_requirements_alone(python: Path, wheel: Path) -> None:
    required = closure(requirements_of(wheel), EXTRAS) | {"waybill-exports"}
    missing = sorted(
        name
        for name, owners in packages_distributions().items()
        if not required & {canonical(owner) for owner in owners}
    )
    # Playwright brings it, and SQLAlchemy only with its extra.
    assert "greenlet" in missing

    done = subprocess.run(
        [python, "-c", IMPORT_ALL, json.dumps(missing)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
