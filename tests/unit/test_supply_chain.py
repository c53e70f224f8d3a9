"""What is installed is what the locks name, and images are those that were chosen."""

from __future__ import annotations

import re
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "infra/deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
OWN = "waybill-exports"


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


def test_r60_everything_installed_is_in_a_lock():
    packages = sysconfig.get_path("purelib")
    installed = {canonical(found.name) for found in distributions(path=[packages])}

    assert {OWN, "fastapi", "pytest"} <= installed
    assert installed - {OWN} - locked("requirements-dev.lock") == set()
    assert locked("requirements.lock") <= installed


def test_the_lock_of_the_product_is_part_of_the_lock_of_its_tools():
    assert locked("requirements.lock") <= locked("requirements-dev.lock")


def test_r60_images_are_pinned_by_version_and_all_but_one_by_digest():
    pattern = (
        r"[\w./-]+:(?:v?\d+\.\d+[\w.-]*|RELEASE\.\d{4}-\d\d-\d\dT[\d-]+Z)(@sha256:[0-9a-f]{64})?"
    )
    found = {image: re.fullmatch(pattern, image) for image in images()}

    assert len(found) == 6
    assert [image for image, match in found.items() if match is None] == []
    assert [image.partition(":")[0] for image, match in found.items() if not match[1]] == [
        "rabbitmq"
    ]


def test_r60_the_image_has_no_installer_and_takes_no_secret():
    assert "venv --without-pip " in DOCKERFILE
    assert "\nUSER 10001:10001\n" in DOCKERFILE
    assert "pip uninstall" in DOCKERFILE.rpartition("\nFROM ")[2]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".waybill*", "**/.env", ".venv"} <= set(ignored)
