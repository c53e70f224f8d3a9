"""axe-core, which judges whether everybody can use a page. It is there for the tests alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

_SCRIPT = Path(__file__).parents[1] / "judges" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
#: What is faded while it loads, or on its way to another colour, is judged once it is there.
_AT_REST = """() => !document.querySelector('[aria-busy="true"]')
    && document.getAnimations().every(({ playState }) => playState !== "running")"""
_SERIOUS = {"serious", "critical"}


@cache
def _source() -> str:
    return _SCRIPT.read_text()


def findings(page: Page, scheme: Literal["light", "dark"]) -> list[str]:
    """What is serious or worse about `page` in a colour scheme: rule, element, reason."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_function(_AT_REST)
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(_source())
    result: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{scheme}: {violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in _SERIOUS
        for node in violation["nodes"]
    ]
