"""What the documentation tells people to type exists: commands, their options, requests."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.support.api_routes import routes_of
from tests.support.documented_commands import requests, waybill_commands
from tests.support.servers.task_api import SECRET
from waybill.api.app import create_app
from waybill.api.cli.main import app
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    # Commands of earlier versions stay in the log of changes.
    if page.name != "CHANGELOG.md"
)


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[re.Pattern[str]]]:
    """The paths of each method; what stands in braces may be anything but a slash."""
    settings = load(home=tmp_path_factory.mktemp("documented"), jwt_secret=SECRET)
    found: dict[str, list[re.Pattern[str]]] = defaultdict(list)
    with Stack(settings, store=MemoryStore()) as stack:
        for method, path in routes_of(create_app(stack.services(checks={}))):
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            found[method].append(re.compile(pattern))
    return found


def described(page: Path) -> str:
    return page.name


def check(arguments: list[str]) -> None:
    """Raise an error for a command, an option or a number of values that is wrong."""
    command: Any = typer.main.get_command(app)
    # Brackets stand around what may be left out, an ellipsis for a value or further arguments.
    words = [
        word.strip("[]")
        for before, word in pairwise(["", *arguments])
        if word != "…" or before.startswith("-")
    ]
    while hasattr(command, "get_command") and words and not words[0].startswith("-"):
        name = words.pop(0)
        command = command.get_command(None, name)
        assert command is not None, f"no command {name!r}"
    command.make_parser(command.context_class(command)).parse_args(args=words)


@pytest.mark.parametrize("page", PAGES, ids=described)
def test_every_command_of_a_page_is_one_of_the_command_line(page: Path) -> None:
    wrong = {}
    for arguments in waybill_commands(page.read_text()):
        try:
            check(arguments)
        except Exception as error:
            wrong[" ".join(arguments)] = str(error)
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES, ids=described)
def test_every_request_of_a_page_has_a_route(
    page: Path, routes: dict[str, list[re.Pattern[str]]]
) -> None:
    unknown = [
        f"{method} {path}"
        for method, path in requests(page.read_text())
        if not any(known.fullmatch(path) for known in routes[method])
    ]
    assert unknown == []
