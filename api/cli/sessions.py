"""`waybill sessions`: revoke the tokens of people, so that sessions end before they expire."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.sessions.revocations import Revocations, subject_of
from waybill.infra.tasks.audit import Actor

app = typer.Typer(
    help="Revoke the tokens of people before they expire.",
    add_completion=False,
    rich_markup_mode=None,
)

app.callback(invoke_without_command=True)(help_without_command)


@app.command("revoke")
def revoke_sessions(
    user: Annotated[str | None, typer.Option(help="A user; needs --tenant.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The user's tenant; alone, all users of the tenant.")
    ] = None,
    token_id: Annotated[str | None, typer.Option(help="The id (jti) of one token.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every token of every tenant.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Refuse tokens that were issued until now, in every process within ten seconds."""
    subject = subject_of(user, tenant, token_id, everybody=everybody)
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        made = Revocations(stack.engine).revoke(subject, Actor.command_line(getpass.getuser()))
    until = made.at.isoformat(timespec="seconds")
    emit(
        {**asdict(made.subject), "at": made.at, "expires_at": made.expires_at},
        "The token is refused within ten seconds."
        if subject.names_one_token
        else f"Tokens issued until {until} are refused within ten seconds.",
        as_json=as_json,
    )
