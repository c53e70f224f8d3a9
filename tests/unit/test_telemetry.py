"""A line of the log is one JSON object, whatever somebody put into a name."""

from __future__ import annotations

import json
import logging

import pytest

from waybill.api.http.middleware import loggable
from waybill.infra.config.logs import JsonLines


@pytest.mark.parametrize(
    "hostile",
    [
        "x\r\n{\"event\": \"forged\"}",
        "\x1b[2J\x1b]0;owned\x07",
        "a\u2028b\u2029c\x85d",
        "\x00\x08\x7f",
        "\u202egpj.exe",
        "quote \" and \\ backslash",
    ],
)  # fmt: skip
def test_r27_nothing_in_a_value_ends_a_line_or_moves_a_terminal(hostile: str):
    values = {"msg": "export of %s", "args": (hostile,), "file": hostile, "all": {1: hostile}}
    record = logging.makeLogRecord({"name": hostile} | values)

    line = JsonLines().format(record)

    assert line.isascii()
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["file"] == hostile
    assert json.loads(line)["event"] == f"export of {hostile}"


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/d/secret", "/d/…"),
        ("//d//secret/", "//d//…"),
        ("/D/secret", "/D/…"),
        ("/d/a/b\n/c", "/d/…"),
        ("/d/", "/d/"),
        ("/api/export-tasks/1/links/2", "/api/export-tasks/1/links/2"),
        ("/datasets", "/datasets"),
    ],
)
def test_the_token_of_a_share_link_is_not_loggable(path: str, logged: str):
    assert loggable(path) == logged
