"""Compose itself reads the compose file, and a linter the Dockerfile; neither needs an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "infra/deploy"
#: Both are programs in wheels.
PROGRAMS = Path(sys.executable).parent


def judged(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        capture_output=True,
        text=True,
        # No variable of this machine may stand in for one of the file.
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere"},
        check=False,
    )


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `make secrets` writes."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    subprocess.run([DEPLOY / "draw-secrets", file], check=True)
    return file


def understood(secrets: Path) -> dict[str, Any]:
    """The file as Compose understands it: merged, with secrets and defaults."""
    done = judged(
        *("docker-compose", "--env-file", secrets, "--file", DEPLOY / "compose.yaml"),
        *("config", "--format", "json"),
    )
    # It warns of variables that nothing sets.
    assert (done.returncode, done.stderr) == (0, "")
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def test_compose_takes_the_file_and_starts_ours_as_they_are_meant_to_run(secrets: Path) -> None:
    services = understood(secrets)["services"]
    for name in ("api", "worker", "migrate"):
        ours = services[name]
        assert (ours["read_only"], ours["cap_drop"]) == (True, ["ALL"])
        assert ours["environment"]["WAYBILL_DATABASE_URL"].startswith("postgresql://")
    published = [port for one in services.values() for port in one.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_compose_says_what_to_run_when_there_are_no_secrets(tmp_path: Path) -> None:
    # Compose reads the `.env` beside the file, and a tree that is in use has one.
    for name in ("compose.yaml", "waybill.env"):
        copy(DEPLOY / name, tmp_path)
    done = judged("docker-compose", "--file", tmp_path / "compose.yaml", "config", "--quiet")
    assert done.returncode == 1
    assert "Run infra/deploy/draw-secrets" in done.stderr


def test_the_linter_of_dockerfiles_finds_nothing(tmp_path: Path) -> None:
    done = judged("hadolint", "--no-color", DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    planted = tmp_path / "Dockerfile"
    planted.write_text("FROM python:latest\nRUN cd /tmp && sudo pip install waybill\n")
    assert "DL3007" in judged("hadolint", "--no-color", planted).stdout
