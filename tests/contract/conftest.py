"""The task tables on each supported database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.single_flight import Desk
from tests.support.task_tables import DATABASES, task_tables


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on empty task tables."""
    with task_tables(request, tmp_path) as engine:
        yield engine


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """Users who ask for shared files, and a worker."""
    return Desk(engine)
