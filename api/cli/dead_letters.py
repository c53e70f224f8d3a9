"""`waybill dead-letters`: list, show, replay and dismiss messages that no worker could handle."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command, note
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.errors import ExportRejected, InvalidRequest, WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.dead_letters import MAX_NOTE_CHARS, DeadLetter, Replay
from waybill.infra.tasks.queries.scope import ALL_TENANTS

app = typer.Typer(
    help="List, show, replay and dismiss dead letters.",
    add_completion=False,
    rich_markup_mode=None,
)


app.callback(invoke_without_command=True)(help_without_command)


@app.command("list")
def list_dead_letters(
    include_handled: Annotated[
        bool, typer.Option("--all", help="Replayed and dismissed ones too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """List open dead letters, newest first."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = stack.dead_letters.list(ALL_TENANTS, open_only=not include_handled)
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
    letter_ids: Annotated[list[int] | None, typer.Argument()] = None,
    reason: Annotated[
        str | None, typer.Option(help="All open ones with exactly this reason, 1,000 at most.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the exports of these dead letters again. Doing it twice is harmless.

    They count against the quotas and rates of their owners. One that is refused stays open and
    keeps no other from its turn.
    """
    replays, code = [], 0
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        for letter_id in _chosen(stack, letter_ids, reason):
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


@app.command("dismiss")
def dismiss_dead_letters(
    letter_ids: Annotated[list[int], typer.Argument()],
    why: Annotated[str, typer.Option("--note", help="Why nothing has to be done.")],
    as_json: JsonFlag = False,
) -> None:
    """Record that nothing has to be done about these dead letters. Their exports do not run."""
    if not 0 < len(why.strip()) <= MAX_NOTE_CHARS:
        raise InvalidRequest(f"The note must have 1 to {MAX_NOTE_CHARS} characters.")
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        dismissed = [
            stack.dead_letters.dismiss(ALL_TENANTS, letter_id, actor, why.strip())
            for letter_id in letter_ids
        ]
    emit(
        [asdict(letter) for letter in dismissed],
        "\n".join(f"{letter.id}: {_handled(letter)}" for letter in dismissed),
        as_json=as_json,
    )


def _chosen(stack: Stack, letter_ids: list[int] | None, reason: str | None) -> list[int]:
    if bool(letter_ids) == (reason is not None):
        raise InvalidRequest("Name dead letters by their numbers, or all by --reason.")
    if letter_ids:
        return letter_ids
    return [letter.id for letter in stack.dead_letters.list(ALL_TENANTS, reason=reason, limit=1000)]


def _handled(letter: DeadLetter) -> str:
    return f"dismissed by {letter.dismissed_by}" if letter.dismissed_at else "replayed already"


def _line(letter: DeadLetter) -> str:
    at, reason = letter.at.isoformat(timespec="seconds"), one_line(letter.reason)
    return f"{letter.id:>6}  {at}  {one_line(letter.queue):<12} {letter.task_id or '-'}  {reason}"
