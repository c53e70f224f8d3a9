"""What is to be installed: the locks, the Dockerfile, and the images that both start from."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "infra/deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def canonical(name: str) -> str:
    """A name as locks have it. (PEP 503)"""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> set[str]:
    """What a lock installs."""
    return set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / name).read_text(), re.MULTILINE))


def images() -> set[str]:
    """Every image that the compose file and the Dockerfile start from."""
    compose = yaml.safe_load(
        re.sub(r"\$\{\w+:\?[^}]*\}", "x", (DEPLOY / "compose.yaml").read_text())
    )
    named = {service["image"] for service in compose["services"].values()} - {"waybill"}
    return named | set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
