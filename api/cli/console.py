"""Output of the command line: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

#: The option of every command that prints a result.
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def emit(data: dict[str, Any] | list[Any], text: str, *, as_json: bool) -> None:
    """Print one result: `data` as JSON for programs, or `text` for people."""
    sys.stdout.write(
        (json.dumps(data, ensure_ascii=False, default=str) if as_json else text) + "\n"
    )
    sys.stdout.flush()


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group that was called without a command, and end with 2."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit(2)


def note(text: str) -> None:
    """Print a line for people, on stderr: stdout is for results, which may be piped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
