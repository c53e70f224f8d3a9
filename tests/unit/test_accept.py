"""What a client accepts, by the weights in its header."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from waybill.api.http.accept import accepts_only_json, prefers_html


def accept(*lines: str) -> Headers:
    return Headers(raw=[(b"accept", line.encode()) for line in lines])


@pytest.mark.parametrize(
    "lines",
    [
        ("application/json",),
        ("Application/JSON; charset=utf-8",),
        ("application/json;q=0.1",),
        ("application/json, application/problem+json",),
        ("application/json, */*;q=0",),
        ("application/json", "text/html; q=0.000"),
    ],
)
def test_json_and_nothing_else(lines: tuple[str, ...]) -> None:
    assert accepts_only_json(accept(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("",),
        ("*/*",),
        ("application/*",),
        # axios, and requests with a list of its own.
        ("application/json, text/plain, */*",),
        ("application/json", "*/*"),
        ("application/json, */*;q=0.1",),
        ("application/json;q=0",),
        ("application/json;charset=utf-8;q=0",),
        ("application/json;q=x",),
        ("application/problem+json",),
        ("application/json-seq",),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",),
    ],
)
def test_a_file_is_taken_as_well_or_json_is_not(lines: tuple[str, ...]) -> None:
    assert not accepts_only_json(accept(*lines))


@pytest.mark.parametrize(
    ("line", "page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html;q=0.4, application/json;q=0.5", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_browser_is_known_by_naming_html(line: str, page: bool) -> None:
    assert prefers_html(accept(line)) is page
