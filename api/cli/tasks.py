"""`waybill tasks`: list, show, cancel and retry export tasks of all tenants."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.api.cli.terminal_text import one_line
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.states import TaskStatus

#: A signed link opens the file: it is its owner's. Where notifications go may be a secret.
_HIDDEN = frozenset({"download_url", "notify", "lease_owner", "claim_id"})

app = typer.Typer(
    help="List, show, cancel and retry export tasks.", add_completion=False, rich_markup_mode=None
)

app.callback(invoke_without_command=True)(help_without_command)


@app.command("list")
def list_tasks(
    status: Annotated[
        list[TaskStatus] | None, typer.Option(help="Only these; repeatable.", case_sensitive=False)
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="Only of this dataset.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Tasks at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List tasks, newest first."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = AdminQueries(stack.engine).tasks(
            ALL_TENANTS, statuses=status or (), tenant=tenant, task_type=task_type, limit=limit
        )
    text = "\n".join(_line(task) for task in found) or "No tasks."
    emit([_fields(task) for task in found], text, as_json=as_json)


@app.command("show")
def show_task(task_id: Annotated[UUID, typer.Argument()], as_json: JsonFlag = False) -> None:
    """Show one task with its attempts: what happened to it, oldest first."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        task = stack.interventions.get(ALL_TENANTS, task_id)
        history = AdminQueries(stack.engine).audit(ALL_TENANTS, task_id=task_id, limit=1000)[::-1]
    fields = _fields(task)
    lines = [f"{name:<20} {one_line(value)}" for name, value in fields.items() if value is not None]
    lines += [
        f"{entry.at.isoformat(timespec='seconds')}  {entry.action:<16} {one_line(entry.actor)}"
        for entry in history
    ]
    emit(
        {**fields, "history": [asdict(entry) for entry in history]},
        "\n".join(lines),
        as_json=as_json,
    )


@app.command("cancel")
def cancel_task(task_id: Annotated[UUID, typer.Argument()], as_json: JsonFlag = False) -> None:
    """Cancel a task. A running one stops within seconds, and leaves no file."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        task = stack.interventions.cancel(ALL_TENANTS, task_id, actor)
    done = task.status == TaskStatus.CANCELLED
    emit(
        _fields(task),
        "Cancelled." if done else "The worker has been asked to stop.",
        as_json=as_json,
    )


@app.command("retry")
def retry_task(task_id: Annotated[UUID, typer.Argument()], as_json: JsonFlag = False) -> None:
    """Run a task that ended without a file again, in its owner's name, as a new task."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        actor = Actor.command_line(getpass.getuser())
        submitted = stack.interventions.retry(ALL_TENANTS, task_id, actor)
    again = submitted.task
    emit(
        {**_fields(again), "deduplicated": submitted.deduplicated},
        f"Task {again.id} runs it again.",
        as_json=as_json,
    )


def _fields(task: Task) -> dict[str, Any]:
    return {name: value for name, value in asdict(task).items() if name not in _HIDDEN}


def _line(task: Task) -> str:
    at = task.created_at.isoformat(timespec="seconds")
    who = f"{one_line(task.tenant_id)}/{one_line(task.created_by)}"
    rows = task.rows_written if task.rows_written is not None else task.rows_done
    return (
        f"{task.id}  {task.status:<10} {at}  {one_line(task.task_type):<16} {rows:>12,} rows"
        f"  {who}  {one_line(task.filename)}"
    )
