"""R43: what strangers wrote, on the terminal of an operator."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.engine import Engine

from tests.support.task_tables import sqlite_tables
from waybill.api.cli import dead_letters
from waybill.api.cli.console import note
from waybill.api.cli.terminal_text import one_line, visible
from waybill.infra.tasks.dead_letters import DeadLetters

TITLE = "\x1b]0;owned\x07"
HOSTILE = f"{TITLE}\x9b31m\x08\r\u202egpj.exe\u2066\u2028\x7f\x00"
#: What may end up on a terminal.
HARMLESS = "\n\t"


def active(text: str) -> list[str]:
    return [sign for sign in text if not sign.isprintable() and sign not in HARMLESS]


@pytest.fixture
def letters(tmp_path, monkeypatch) -> DeadLetters:
    monkeypatch.chdir(tmp_path)
    with sqlite_tables(tmp_path) as engine:
        monkeypatch.setenv("WAYBILL_DATABASE_URL", str(engine.url))
        yield recorded(engine)


def recorded(engine: Engine) -> DeadLetters:
    found = DeadLetters(engine)
    forged = f"{HOSTILE}\n     9  2026-01-01T00:00:00  orders"
    assert found.record(f"body {HOSTILE}\nnext".encode(), f"queue {HOSTILE}", f"why {forged}")
    return found


@pytest.mark.parametrize("as_json", [False, True])
def test_r43_a_dead_letter_moves_no_terminal(letters: DeadLetters, capsys, as_json: bool):
    dead_letters.list_dead_letters(as_json=as_json)
    listed = capsys.readouterr().out
    dead_letters.show_dead_letter(1, as_json=as_json)
    shown = capsys.readouterr().out

    assert active(listed) == []
    assert active(shown) == []
    assert len(listed.splitlines()) == 1
    assert "\\u001b]0;owned\\u0007" in listed
    if as_json:
        # The same values as ever, for a program.
        assert json.loads(listed)[0]["queue"] == f"queue {HOSTILE}"
        assert json.loads(shown)["queue"] == f"queue {HOSTILE}"


def test_r43_an_error_message_moves_no_terminal(capsys):
    note(f"waybill: no table {HOSTILE}")
    assert active(capsys.readouterr().err) == []


def test_ordinary_text_stays_as_it_is():
    text = "naïve 表\tÅngström 👩\u200d🚀 العربية\nsecond line"
    assert visible(text) == text
    assert one_line("two\nlines") == "two\\nlines"
