"""docs/architecture.md describes the code: the reading path, the rooms and the states."""

from __future__ import annotations

import re
from pathlib import Path

import grimp
import pytest

from waybill.infra.tasks.states import TRANSITIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()


def section(title: str) -> str:
    """The text between the heading `title` and the next heading."""
    return re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


ROOMS = re.findall(r"^\| `(\S+)/` \|[^|]*\|([^|]*)\|$", section("The rooms"), re.MULTILINE)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("waybill", exclude_type_checking_imports=True)


def module(path: str) -> str:
    return "waybill." + path.strip("/").removesuffix(".py").replace("/", ".")


def test_one_export_is_read_in_at_most_thirty_files_each_once():
    steps = re.findall(r"^(\d+)\. `([^`]+)`", section("Read it in the code"), re.MULTILINE)
    paths = [path for _, path in steps]

    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 20 <= len(paths) <= 30
    assert len(set(paths)) == len(paths)
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_state_diagram_has_the_edges_of_the_code():
    drawn = re.findall(r"^ +(\S+) --> (\w+):", section("The state of a task"), re.MULTILINE)

    assert {edge for edge in drawn if edge[0] != "[*]"} == {
        (before.value, after.value) for before, after in TRANSITIONS
    }
    assert len(drawn) == len(set(drawn))


def test_every_room_of_three_packages_is_in_the_table():
    listed = {path for path, _ in ROOMS}
    rooms = {
        str(folder.relative_to(ROOT))
        for package in ("exporter", "infra", "api")
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").is_file()
    }

    assert listed - rooms == {"storage"}
    assert rooms - listed == set()


@pytest.mark.parametrize(("room", "unknown"), ROOMS, ids=[path for path, _ in ROOMS])
def test_a_room_knows_nothing_of_what_the_table_says(
    imports: grimp.ImportGraph, room: str, unknown: str
):
    inside = {module(room), *imports.find_descendants(module(room))}
    forbidden = tuple(module(path) for path in re.findall(r"`([^`]+)/`", unknown))
    assert forbidden

    known = {
        f"{name} -> {target}"
        for name in inside
        for target in imports.find_modules_directly_imported_by(name)
        if f"{target}.".startswith(tuple(f"{path}." for path in forbidden))
    }

    assert known == set()
