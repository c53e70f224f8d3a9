"""The page of commands: every command with its arguments and options, by Typer's own generator."""

from __future__ import annotations

import re

import typer
from typer.cli import get_docs_for_click

from waybill.api.cli.main import COMMANDS, LazyGroup, app

_HEAD = """\
# Commands

`waybill COMMAND --help` prints the same. Commands end with 0, with 2 for bad input, and with 1 for
a failure; `--json` prints what a program can read. Settings come from the
[environment or `.env`](settings.md).
"""
#: Said once, above.
_EVERYWHERE = re.compile(r"^\* `--(?:help|json)`: .*\n(?:\n(?=\n))?", re.MULTILINE)
_NO_OPTIONS = re.compile(r"\*\*Options\*\*:\n\n(?=\n|#|\Z|\*\*)")


def commands_page() -> str:
    """The page."""
    group = typer.main.get_command(app)
    assert isinstance(group, LazyGroup)
    parts = [_HEAD]
    for name in COMMANDS:
        command = group.get_command(None, name)
        context = typer.Context(command, info_name=name)
        made = get_docs_for_click(
            obj=command, ctx=context, name=name, call_prefix="waybill", indent=1
        )
        parts.append(_NO_OPTIONS.sub("", _EVERYWHERE.sub("", made)).strip())
    return "\n\n".join(parts) + "\n"
