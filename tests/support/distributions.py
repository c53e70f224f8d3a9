"""What a wheel needs: the distributions that an installer would bring, without an index."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable
from email import message_from_bytes
from importlib.metadata import files, requires
from pathlib import Path

from packaging.requirements import Requirement


def requirements_of(wheel: Path) -> list[str]:
    """Its lines of `Requires-Dist`."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(path)).get_all("Requires-Dist", [])


def closure(requirements: Iterable[str], extras: tuple[str, ...] = ()) -> set[str]:
    """Canonical names of all distributions that `requirements` with `extras` install."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(requirements, frozenset(extras))]
    while waiting:
        texts, wanted = waiting.pop()
        for requirement in map(Requirement, texts):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in wanted or {""}):
                continue
            item = (canonical(requirement.name), frozenset(requirement.extras))
            if item not in found:
                found.add(item)
                waiting.append((requires(requirement.name) or (), item[1]))
    return {name for name, _ in found}


def canonical(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def copy_installed(name: str, site: Path) -> None:
    """Copy an installed distribution into another environment's packages, without its scripts."""
    for file in files(name) or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)
