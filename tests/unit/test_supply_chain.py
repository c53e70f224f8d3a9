"""What is installed is what the locks name, and images are those that were chosen."""

from __future__ import annotations

import re
import sysconfig
from importlib.metadata import distributions

from tests.support import supply_chain as wanted

OWN = "waybill-exports"


def test_r60_everything_installed_is_in_a_lock():
    packages = sysconfig.get_path("purelib")
    installed = {wanted.canonical(found.name) for found in distributions(path=[packages])}

    assert {OWN, "fastapi", "pytest"} <= installed
    assert installed - {OWN} - wanted.locked("requirements-dev.lock") == set()
    assert wanted.locked("requirements.lock") <= installed


def test_the_lock_of_the_product_is_part_of_the_lock_of_its_tools():
    assert wanted.locked("requirements.lock") <= wanted.locked("requirements-dev.lock")


def test_r60_images_are_pinned_by_version_and_all_but_one_by_digest():
    pattern = (
        r"[\w./-]+:(?:v?\d+\.\d+[\w.-]*|RELEASE\.\d{4}-\d\d-\d\dT[\d-]+Z)(@sha256:[0-9a-f]{64})?"
    )
    found = {image: re.fullmatch(pattern, image) for image in wanted.images()}

    assert len(found) == 6
    assert [image for image, match in found.items() if match is None] == []
    assert [image.partition(":")[0] for image, match in found.items() if not match[1]] == [
        "rabbitmq"
    ]


def test_r60_the_image_has_no_installer_and_takes_no_secret():
    assert "venv --without-pip " in wanted.DOCKERFILE
    assert "\nUSER 10001:10001\n" in wanted.DOCKERFILE
    assert "pip uninstall" in wanted.DOCKERFILE.rpartition("\nFROM ")[2]
    ignored = (wanted.ROOT / ".dockerignore").read_text().split()
    assert {".git", ".waybill*", "**/.env", ".venv"} <= set(ignored)
