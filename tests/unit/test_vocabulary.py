"""One vocabulary: words that the glossary retires occur in neither code nor documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs/glossary.md"
TERMS, RETIRED = GLOSSARY.read_text().split("\n## Retired words\n")
#: Decisions keep the words of their time, and the migrations the names they gave.
KEPT = (ROOT / "docs/decisions", ROOT / "infra/db/migrations", GLOSSARY)
PRODUCT = ("api", "exporter", "storage", "infra", ".src", "docs")
SUFFIXES = {".py", ".md", ".js", ".html", ".css"}


def rows_of(table: str) -> list[str]:
    """The first cells of a Markdown table, without its head."""
    return re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]


def sources() -> Iterator[Path]:
    """The code and the documents."""
    yield ROOT / "README.md"
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and not any(path.is_relative_to(kept) for kept in KEPT):
                yield path


def words_of(text: str) -> str:
    """A text in lower case, with the words of names apart: `heldBack` and `held_back` alike."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text).lower()


TEXTS = {path: words_of(path.read_text()) for path in sources()}


def test_the_glossary_is_in_order_and_explains_each_word() -> None:
    terms = rows_of(TERMS)
    assert len(terms) >= 30
    assert terms == sorted(set(terms))
    assert not set(terms) & set(rows_of(RETIRED))


@pytest.mark.parametrize("word", rows_of(RETIRED))
def test_a_retired_word_is_not_used(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(words_of(word))}\b")
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not places, f"use the glossary's word for {word!r}"
