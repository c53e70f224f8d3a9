"""An interpreter that has the client of the built wheel, and nothing of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.distributions import closure, copy_installed, requirements_of
from tests.support.servers.built_wheel import environment_with


@pytest.fixture(scope="package")
def client_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with what it requires without an extra."""
    python, site = environment_with(wheel, tmp_path_factory.mktemp("client"))
    for name in closure(requirements_of(wheel)):
        copy_installed(name, site)
    return python
