"""The pages say the same in every language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from waybill.api.pages.texts import CATALOGUES
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.warning_rules import WarningRule
from waybill.infra.tasks.states import TaskStatus

_ENGLISH = CATALOGUES["en"]
_ROOT = Path(__file__).parents[2]
_PAGES = _ROOT / "api" / "pages"


def holes(texts: Mapping[str, str]) -> dict[str, set[str]]:
    return {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in texts.items()}


def empty(texts: Mapping[str, str]) -> set[str]:
    """The names of texts that say nothing."""
    return {name for name, text in texts.items() if not text}


@pytest.mark.parametrize("code", CATALOGUES.keys() - {"en"})
def test_every_language_has_the_same_texts_with_the_same_holes(code: str) -> None:
    language = CATALOGUES[code]

    assert holes(language.page) == holes(_ENGLISH.page)
    assert holes(language.admin) == holes(_ENGLISH.admin)
    # Nothing is said in one language only.
    assert empty(language.page) == empty(_ENGLISH.page)
    assert all(language.admin.values())


def test_the_texts_of_the_two_pages_do_not_hide_each_other() -> None:
    assert _ENGLISH.page.keys() & _ENGLISH.admin.keys() == set()


def test_every_text_a_template_or_script_names_is_there() -> None:
    known = {**_ENGLISH.page, **_ENGLISH.admin}
    named: set[str] = set()
    for path in [*_PAGES.glob("templates/*.html"), *_PAGES.glob("static/*.js")]:
        source = path.read_text()
        named |= set(re.findall(r"\bt\.(\w+)\b(?!\()", source) if path.suffix == ".html" else ())
        named |= set(re.findall(r"\btext\(\s*\"(\w+)\"", source) if path.suffix == ".js" else ())

    assert named - known.keys() - {"get"} == set()
    assert len(named) > 100


def test_every_format_and_state_has_a_name() -> None:
    wanted = {f"format_{name}" for name in FORMATS} | {f"status_{name}" for name in TaskStatus}

    assert wanted <= _ENGLISH.page.keys()


def test_every_warning_rule_has_its_text() -> None:
    explained = {name.removeprefix("rule_") for name in _ENGLISH.page if name.startswith("rule_")}

    assert explained == set(WarningRule)
