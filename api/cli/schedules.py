"""`waybill schedules`: what an operator does with the schedules of all tenants."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.api.cli.terminal_text import one_line
from waybill.api.saved_exports.requests import prepare_of
from waybill.api.schedules.words import words_of
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.schedules.schedules import Schedule
from waybill.infra.services import Services
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope

app = typer.Typer(
    help="List, show, pause, resume, run and delete schedules.",
    add_completion=False,
    rich_markup_mode=None,
)
app.callback(invoke_without_command=True)(help_without_command)

_Id = Annotated[UUID, typer.Argument(help="Id of a schedule.")]
_PART = 200


def _services(stack: Stack) -> Services:
    stack.check_database(tables=True)
    return stack.services(checks={})


@app.command("list")
def list_schedules(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List schedules, newest first."""
    scope = Scope(tenant) if tenant is not None else ALL_TENANTS
    with Stack(load()) as stack:
        schedules = _services(stack).schedules
        found = schedules.in_scope(scope, limit=_PART)
        while found and (part := schedules.in_scope(scope, before=found[-1].id, limit=_PART)):
            found += part
    text = "\n".join(_line(item) for item in found) or "No schedules."
    emit([_fields(item) for item in found], text, as_json=as_json)


@app.command("show")
def show_schedule(schedule_id: _Id, as_json: JsonFlag = False) -> None:
    """Show one schedule, with its next times and its last run."""
    with Stack(load()) as stack:
        _emit(_services(stack).schedules.find(ALL_TENANTS, schedule_id), as_json)


@app.command("pause")
def pause_schedule(schedule_id: _Id, as_json: JsonFlag = False) -> None:
    """Pause a schedule. Doing it twice is harmless."""
    with Stack(load()) as stack:
        _emit(_services(stack).schedules.pause(schedule_id, ALL_TENANTS, _actor()), as_json)


@app.command("resume")
def resume_schedule(schedule_id: _Id, as_json: JsonFlag = False) -> None:
    """Go on with the next time. What was missed meanwhile is not caught up."""
    with Stack(load()) as stack:
        _emit(_services(stack).schedules.resume(schedule_id, ALL_TENANTS, _actor()), as_json)


@app.command("run")
def run_schedule(schedule_id: _Id, as_json: JsonFlag = False) -> None:
    """Run a schedule once more, now, with the rights of its owner."""
    with Stack(load()) as stack:
        services = _services(stack)
        services.schedules.find(ALL_TENANTS, schedule_id)
        task = services.schedule_runs(prepare_of(services)).run_now(schedule_id, _actor())
    result = {"schedule_id": str(schedule_id), "task_id": str(task.id)}
    emit(result, f"Submitted: task {task.id}", as_json=as_json)


@app.command("delete")
def delete_schedule(schedule_id: _Id, as_json: JsonFlag = False) -> None:
    """Delete a schedule. The exports it has made stay."""
    with Stack(load()) as stack:
        _services(stack).schedules.delete(schedule_id, ALL_TENANTS, _actor())
    emit({"schedule_id": str(schedule_id), "deleted": True}, "Deleted.", as_json=as_json)


def _actor() -> Actor:
    return Actor.command_line(getpass.getuser())


def _emit(item: Schedule, as_json: bool) -> None:
    fields = _fields(item)
    text = "\n".join(
        f"{name:<18} {one_line(value)}" for name, value in fields.items() if value not in (None, [])
    )
    emit(fields, text, as_json=as_json)


def _fields(item: Schedule) -> dict[str, object]:
    """What an operator may see: no addresses, which are the owner's."""
    last = asdict(item.last_run) if item.last_run else None
    paused = item.paused_at is not None
    times = [] if paused else item.rule.next_times(datetime.now(UTC), 5)
    return {
        "id": item.id,
        "tenant": item.tenant_id,
        "owner": item.created_by,
        "saved_export": item.saved_export_name,
        "saved_export_id": item.saved_export_id,
        "cron": item.cron,
        "words": words_of(item.cron, "en") or None,
        "timezone": item.timezone,
        "state": "paused" if paused else "active",
        "paused_at": item.paused_at,
        "paused_code": item.paused_code,
        "next_runs": [slot.at.isoformat() for slot in times],
        "last_run": last,
        "failures": item.failures,
    }


def _line(item: Schedule) -> str:
    state = "active"
    if item.paused_at is not None:
        state = f"paused ({item.paused_code})" if item.paused_code else "paused"
    who = f"{one_line(item.tenant_id)}/{one_line(item.created_by)}"
    name = one_line(item.saved_export_name or "-")
    return f"{item.id}  {state:<8} {item.cron:<14} {item.timezone:<16} {who}  {name}"
