"""`waybill pauses`: pause and resume queues and datasets."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.exports.pausable import check_pausable
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.pauses import MAX_PAUSE_NOTE_CHARS
from waybill.infra.tasks.queries.paused import PauseKind

app = typer.Typer(
    help="List what is paused; pause and resume queues and datasets.",
    add_completion=False,
    rich_markup_mode=None,
)

app.callback(invoke_without_command=True)(help_without_command)

Queue = Annotated[str | None, typer.Option(help="A queue.")]
Dataset = Annotated[str | None, typer.Option(help="A dataset.")]


@app.command("list")
def list_pauses(as_json: JsonFlag = False) -> None:
    """List what is paused, since when, by whom and why."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = stack.services().pauses.all()
    lines = [
        f"{item.kind:<8} {item.name:<20} {item.at.isoformat(timespec='seconds')} "
        f"{one_line(item.by)}: {one_line(item.note)}"
        for item in found
    ]
    text = "\n".join(lines) or "Nothing is paused."
    emit([asdict(item) for item in found], text, as_json=as_json)


@app.command("add")
def add_pause(
    note: Annotated[str, typer.Option(help="Why, for those who look later.")],
    queue: Queue = None,
    dataset: Dataset = None,
    as_json: JsonFlag = False,
) -> None:
    """Pause a queue or a dataset: requests are accepted and wait, running exports go on."""
    kind, name = _chosen(queue, dataset)
    if not 0 < len(note) <= MAX_PAUSE_NOTE_CHARS:
        raise InvalidRequest(f"A note has 1 to {MAX_PAUSE_NOTE_CHARS} characters.")
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        check_pausable(stack.registry, kind, name)
        actor = Actor.command_line(getpass.getuser())
        changed = stack.services().pauses.pause(kind, name, actor, note)
    _say(kind, name, "paused", changed, as_json)


@app.command("end")
def end_pause(queue: Queue = None, dataset: Dataset = None, as_json: JsonFlag = False) -> None:
    """Resume a queue or a dataset, and wake its workers."""
    kind, name = _chosen(queue, dataset)
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        changed = stack.services().pauses.resume(kind, name, actor)
    _say(kind, name, "resumed", changed, as_json)


def _chosen(queue: str | None, dataset: str | None) -> tuple[PauseKind, str]:
    if queue and not dataset:
        return PauseKind.QUEUE, queue
    if dataset and not queue:
        return PauseKind.DATASET, dataset
    raise InvalidRequest("Name one queue or one dataset.")


def _say(kind: PauseKind, name: str, state: str, changed: bool, as_json: bool) -> None:
    text = f"The {kind} {name} is {state}." if changed else f"The {kind} {name} was so already."
    emit({"kind": kind, "name": name, "state": state, "changed": changed}, text, as_json=as_json)
