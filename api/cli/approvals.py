"""`waybill approvals`: list what waits for an approval, and answer for somebody who may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import typer

from waybill.api.approvals.service import body_of
from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.exports.approvers import check_answer, check_requester
from waybill.infra.services import Services
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.approvals import MAX_NOTE_CHARS
from waybill.infra.tasks.model import Task

app = typer.Typer(
    help="List exports that wait for an approval; approve and decline them.",
    add_completion=False,
    rich_markup_mode=None,
)

app.callback(invoke_without_command=True)(help_without_command)

TaskId = Annotated[UUID, typer.Argument(help="The export that waits.")]
User = Annotated[str, typer.Option(help="The approver in whose name you answer.")]
Roles = Annotated[list[str], typer.Option("--role", help="A role of the approver; repeatable.")]
Note = Annotated[str | None, typer.Option(help="What the requester and the audit log are told.")]


@app.command("list")
def list_approvals(
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List exports that wait for an approval, oldest first."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        names = [item.name for item in stack.registry if item.approval is not None]
        found = list(stack.services().approvals.waiting(names, tenant)) if names else []
    text = "\n".join(map(_line, found)) or "Nothing waits for an approval."
    emit([_fields(task) for task in found], text, as_json=as_json)


@app.command("approve")
def approve(
    task_id: TaskId, user: User, role: Roles, note: Note = None, as_json: JsonFlag = False
) -> None:
    """Approve an export in the name of somebody who may; the rule of its dataset decides."""

    def give(asked: _Asked) -> Task:
        check_requester(asked.services.registry[asked.task.task_type], asked.task)
        return asked.services.approvals.approve(asked.task, asked.actor, note)

    _answer(task_id, user, role, note, give, "Approved.", as_json)


@app.command("decline")
def decline(
    task_id: TaskId, user: User, role: Roles, note: Note = None, as_json: JsonFlag = False
) -> None:
    """Decline an export in the name of somebody who may. It ends without a file."""

    def give(asked: _Asked) -> Task:
        return asked.services.approvals.decline(asked.task, asked.actor, note)

    _answer(task_id, user, role, note, give, "Declined.", as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that may be answered, and in whose name."""

    services: Services
    task: Task
    actor: Actor


def _answer(
    task_id: UUID,
    user: str,
    roles: list[str],
    note: str | None,
    give: Callable[[_Asked], Task],
    said: str,
    as_json: bool,
) -> None:
    if note is not None and not 0 < len(note) <= MAX_NOTE_CHARS:
        raise InvalidRequest(f"A note has 1 to {MAX_NOTE_CHARS} characters.")
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        services = stack.services()
        task = services.approvals.get(task_id, None)
        person = Principal(user, task.tenant_id, frozenset(roles))
        dataset = check_answer(services.registry, person, task)
        answered = give(_Asked(services, task, Actor.user(person)))
        body = body_of(dataset, person, answered)
    emit(body.model_dump(mode="json"), said, as_json=as_json)


def _fields(task: Task) -> dict[str, Any]:
    return {
        "task_id": str(task.id),
        "tenant": task.tenant_id,
        "requested_by": task.created_by,
        "requested_at": task.created_at.isoformat(),
        "answer_until": task.approval_until.isoformat() if task.approval_until else None,
        "type": task.task_type,
        "filename": task.filename,
        "reason": (task.options or {}).get("reason"),
    }


def _line(task: Task) -> str:
    fields = _fields(task)
    who = f"{one_line(task.tenant_id)}/{one_line(task.created_by)}"
    return (
        f"{task.id}  {fields['answer_until'] or '':<25.25}  {one_line(task.task_type):<16}  {who}"
        f"  {one_line(fields['reason'] or '')}"
    )
