"""`waybill dead-letters`: the dead-letter queue, as a person would handle it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import emit
from waybill.infra.bootstrap import check_database
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine
from waybill.infra.tasks.dead_letters import DeadLetter, DeadLetters

app = typer.Typer(help="List, show and replay dead letters.", no_args_is_help=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("list")
def list_letters(
    every: Annotated[bool, typer.Option("--all", help="Replayed ones too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List dead letters that wait for somebody, newest first."""
    with _dead_letters() as letters:
        found = letters.list(open_only=not every)
    text = "\n".join(_line(letter) for letter in found) or "No dead letters."
    emit([asdict(letter) for letter in found], text, as_json=as_json)


@app.command("show")
def show(letter_id: Annotated[int, typer.Argument()], as_json: JsonFlag = False) -> None:
    """Show one dead letter with its message."""
    with _dead_letters() as letters:
        letter = letters.get(letter_id)
    fields = asdict(letter)
    text = "\n".join(f"{name:<15} {value}" for name, value in fields.items() if value is not None)
    emit(fields, text, as_json=as_json)


@app.command("replay")
def replay(letter_ids: Annotated[list[int], typer.Argument()], as_json: JsonFlag = False) -> None:
    """Ask for the exports of these dead letters again. Doing it twice is harmless."""
    with _dead_letters() as letters:
        replays = [letters.replay(letter_id, getpass.getuser()) for letter_id in letter_ids]
    emit(
        [asdict(item) for item in replays],
        "\n".join(f"{item.letter_id}: {item.outcome} {item.task_id or ''}" for item in replays),
        as_json=as_json,
    )


@contextmanager
def _dead_letters() -> Iterator[DeadLetters]:
    engine = create_engine(load().task_database_url)
    try:
        check_database(engine)
        yield DeadLetters(engine)
    finally:
        engine.dispose()


def _line(letter: DeadLetter) -> str:
    at = letter.at.isoformat(timespec="seconds")
    return f"{letter.id:>6}  {at}  {letter.queue:<12} {letter.task_id or '-'}  {letter.reason}"
