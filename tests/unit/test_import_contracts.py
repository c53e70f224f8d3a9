"""The import contracts hold, and a forbidden import that is planted breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: Each lints a copy of the whole tree.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "exporter", "storage", "infra")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copytree(ROOT / ".src", tmp_path / ".src", symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; sys.path.insert(0, '.src'); "
        "import importlinter.cli as cli; cli.lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("exporter/run.py", "import boto3"),
        ("exporter/run.py", "import sqlalchemy"),
        ("exporter/run.py", "import waybill.infra.config.settings"),
        ("exporter/rows/seals.py", "import waybill.exporter.formats.encoding"),
        ("exporter/blocks/block.py", "import waybill.exporter.rows.seals"),
        ("exporter/datasets/layout.py", "import waybill.exporter.ports"),
        ("storage/config.py", "import sqlalchemy"),
        ("storage/config.py", "import waybill.infra.tasks.states"),
        ("infra/config/settings.py", "import fastapi"),
        ("infra/config/settings.py", "import waybill.infra.notifications.delivery"),
        ("infra/config/settings.py", "import sqlalchemy"),
        ("infra/tasks/model.py", "import waybill.infra.estimates.model"),
        ("infra/notifications/queue.py", "import waybill.infra.links.share_links"),
        ("infra/config/settings.py", "import waybill.api"),
        ("api/app.py", "import waybill.exporter.run"),
        ("api/app.py", "import waybill.infra.worker.service"),
        ("api/client/client.py", "import waybill.infra.tasks.states"),
        ("api/client/answers.py", "import waybill.api.exports.schemas"),
        ("api/links/routes.py", "import waybill.api.exports.routes"),
        ("api/exports/service.py", "import waybill.api.exports.routes"),
        ("api/problems/errors.py", "import waybill.api.context"),
    ],
)
def test_a_planted_forbidden_import_is_refused(copy, module, forbidden):
    path = copy / module
    path.write_text(f"{path.read_text()}\n{forbidden}  # planted\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_the_tree_as_it_is_keeps_every_contract(copy):
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
