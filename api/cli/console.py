"""Output of the command line: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer

from waybill.api.cli.terminal_text import visible
from waybill.storage.errors import FileNotWritten

_STDERR = 2

#: The option of every command that prints a result.
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def emit(
    data: dict[str, Any] | list[Any], text: str, *, as_json: bool, on_stderr: bool = False
) -> None:
    """Print one result: `data` as JSON for programs, or `text` for people.

    JSON is UTF-8 in every locale; in a text, characters that the locale lacks are escaped. In
    both, no character is a command to a terminal.
    `on_stderr` is for a command whose standard output is the file itself.

    Raises:
        FileNotWritten: a full disk, or the process was started without this output.
        BrokenPipeError: nobody reads it any more.
    """
    stream: TextIO | None = sys.stderr if on_stderr else sys.stdout
    if stream is None:
        raise FileNotWritten("Cannot write the result: the output is closed.")
    try:
        if as_json:
            line = visible(json.dumps(data, ensure_ascii=False, default=str))
            stream.flush()
            # A lone surrogate stands for a byte of a name that is no UTF-8: JSON can escape it.
            stream.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
        else:
            stream.write(visible(text) + "\n")
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileNotWritten(f"Cannot write the result: {error.strerror}.") from error


def prepare_streams() -> None:
    """Let standard output and standard error take any text, and no other file take their numbers.

    A process may be started without them (``>&-``); the first file it opens would be its standard
    output then.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_unwritten() -> None:
    """Forget what a stream could not write; the interpreter would complain about it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group that was called without a command, and end with 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def note(text: str) -> None:
    """Print a line for people, on stderr: stdout is for results, which may be piped."""
    # None, or no longer read: then there is nobody to tell.
    with suppress(OSError, AttributeError):
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()
