"""The site of the documents has every page, and no broken link; translations say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.reference import MADE, OF_THE_ROOT
from tests.support.tutorial import fences

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
TRANSLATED = [ROOT / "README.md", DOCS / "tutorial.md"]


def pages_of(entry: Any) -> list[str]:
    """The pages below an entry of the navigation."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages_of(part)]


def test_every_page_is_in_the_navigation_once() -> None:
    there = {page.name for page in DOCS.glob("*.md")} | set(MADE) | set(OF_THE_ROOT)
    assert sorted(pages_of(NAV)) == sorted(there)


@pytest.mark.parametrize("name", ["comparison.md", "scale.md"])
def test_each_statement_about_others_has_its_source(name: str) -> None:
    text = (DOCS / name).read_text()
    sources = [int(number) for number in re.findall(r"\[(\d+)\](?= \[)", text)]
    named = {int(number) for number in re.findall(r"\[(\d+)\](?! ?[\[(])", text)}
    assert sources == list(range(1, len(sources) + 1))
    assert named == set(sources)


def test_the_tutorial_starts_the_images_of_the_compose_file() -> None:
    compose = (ROOT / "infra/deploy/compose.yaml").read_text()
    shown = "".join(
        body for language, _, body in fences(TRANSLATED[1].read_text()) if language == "console"
    )
    images = re.findall(r"docker run .* ([\w/]+:[\w.-]+)(?: server /data)?$", shown, re.MULTILINE)
    assert len(images) == 3
    assert [image for image in images if image not in compose] == []


def translation_of(page: Path) -> Path:
    return page.with_suffix(".zh-CN.md")


def commands_of(page: Path) -> list[tuple[str, str | None, str]]:
    """The fences of a page without the comments at the ends of lines, which are translated."""
    return [
        (language, title, re.sub(r" {2,}# .*$", "", body, flags=re.MULTILINE))
        for language, title, body in fences(page.read_text())
    ]


def figures_of(page: Path) -> list[str]:
    """Numbers of two digits and more in the prose: small ones may be words."""
    prose = re.sub(r"```.*?```|\]\([^)]*\)|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    return sorted(re.findall(r"\d[\d,.]*\d", prose))


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_a_translation_has_the_same_commands_and_figures(page: Path) -> None:
    translation = translation_of(page)

    assert commands_of(translation) == commands_of(page)
    assert figures_of(translation) == figures_of(page)
    assert f"]({translation.name})" in page.read_text()
    assert f"]({page.name})" in translation.read_text()


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_a_translation_has_the_same_parts(page: Path) -> None:
    def parts(text: str) -> list[int]:
        outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
        heads = [len(found) for found in re.findall(r"^(#+) ", outside, re.MULTILINE)]
        return [*heads, outside.count("\n- **"), outside.count("\n| ")]

    assert parts(translation_of(page).read_text()) == parts(page.read_text())
