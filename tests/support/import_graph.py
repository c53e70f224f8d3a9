"""The import graph of each package, as Mermaid pictures in `docs/architecture.md`.

`python -m tests.support.import_graph` writes them; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"
PACKAGES = ("api", "exporter", "storage", "infra")
_MARKS = re.compile(r"<!-- imports -->\n.*?<!-- /imports -->", re.DOTALL)


def picture(graph: grimp.ImportGraph, package: str) -> str:
    """One package: its rooms, which are its folders and modules, and who imports whom."""
    root = f"waybill.{package}"
    rooms = sorted(graph.find_children(root))
    imports = [
        (one, other)
        for one in rooms
        for other in rooms
        if one != other
        and graph.direct_import_exists(importer=one, imported=other, as_packages=True)
    ]
    linked = {room for pair in imports for room in pair}
    lines = [
        f"### {package}/",
        "",
        "```mermaid",
        "graph TD",
        *(f"    {_name(room)}" for room in rooms if room not in linked),
        *(f"    {_name(one)} --> {_name(other)}" for one, other in imports),
        "```",
    ]
    return "\n".join(lines)


def _name(room: str) -> str:
    """A room as the picture names it."""
    return room.rpartition(".")[2]


def with_pictures(page: str) -> str:
    """The page with the pictures of today between its marks."""
    sys.path.insert(0, str(ROOT / ".src"))
    graph = grimp.build_graph("waybill", cache_dir=None)
    pictures = "\n\n".join(picture(graph, package) for package in PACKAGES)
    return _MARKS.sub(lambda _: f"<!-- imports -->\n{pictures}\n<!-- /imports -->", page)


if __name__ == "__main__":
    PAGE.write_text(with_pictures(PAGE.read_text()))
