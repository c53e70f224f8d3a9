"""`waybill audit-log`: verify that nobody has rewritten the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit, help_without_command
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.audit_chain import AuditChain

app = typer.Typer(
    help="Verify that nobody has rewritten the audit log.",
    add_completion=False,
    rich_markup_mode=None,
)

app.callback(invoke_without_command=True)(help_without_command)


@app.command("verify")
def verify_audit_log(
    head: Annotated[
        str | None,
        typer.Option(help="A head that a worker's log printed; it has to be part of the chain."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compute all checkpoints again, and compare them."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = AuditChain(stack.engine).verify(head=head)
    emit(
        asdict(found),
        f"{found.entries:,} entries in {found.checkpoints:,} checkpoints are unchanged, and"
        f" {found.uncovered:,} wait for the next one; {found.archived:,} checkpoints before them"
        f" are archived. Head: {found.head or 'none yet'}",
        as_json=as_json,
    )
