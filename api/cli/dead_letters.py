"""`waybill dead-letters`: list, show and replay messages that no worker could handle."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command, note
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.dead_letters import DeadLetter, Replay
from waybill.infra.tasks.queries.scope import ALL_TENANTS

app = typer.Typer(
    help="List, show and replay dead letters.", add_completion=False, rich_markup_mode=None
)


app.callback(invoke_without_command=True)(help_without_command)


@app.command("list")
def list_dead_letters(
    include_replayed: Annotated[bool, typer.Option("--all", help="Replayed ones too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List open dead letters, newest first."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = stack.dead_letters.list(ALL_TENANTS, open_only=not include_replayed)
    text = "\n".join(_line(letter) for letter in found) or "No dead letters."
    emit([asdict(letter) for letter in found], text, as_json=as_json)


@app.command("show")
def show_dead_letter(
    letter_id: Annotated[int, typer.Argument()], as_json: JsonFlag = False
) -> None:
    """Show one dead letter with its message."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        letter = stack.dead_letters.get(ALL_TENANTS, letter_id)
    fields = asdict(letter)
    text = "\n".join(
        f"{name:<15} {one_line(value)}" for name, value in fields.items() if value is not None
    )
    emit(fields, text, as_json=as_json)


@app.command("replay")
def replay_dead_letters(
    letter_ids: Annotated[list[int], typer.Argument()], as_json: JsonFlag = False
) -> None:
    """Run the exports of these dead letters again. Doing it twice is harmless.

    They count against the quotas and rates of their owners. One that is refused stays open and
    keeps no other from its turn.
    """
    replays, code = [], 0
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        for letter_id in letter_ids:
            try:
                replays.append(stack.dead_letters.replay(ALL_TENANTS, letter_id, actor))
            except WaybillError as error:
                note(f"{letter_id}: {error.message}")
                replays.append(Replay(letter_id, None, error.code))
                code = max(code, 2 if isinstance(error, ExportRejected) else 1)
    emit(
        [asdict(item) for item in replays],
        "\n".join(f"{item.letter_id}: {item.outcome} {item.task_id or ''}" for item in replays),
        as_json=as_json,
    )
    if code:
        raise typer.Exit(code)


def _line(letter: DeadLetter) -> str:
    at, reason = letter.at.isoformat(timespec="seconds"), one_line(letter.reason)
    return f"{letter.id:>6}  {at}  {one_line(letter.queue):<12} {letter.task_id or '-'}  {reason}"
