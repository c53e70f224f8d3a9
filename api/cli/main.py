"""The `waybill` command: finds the command, runs it, and turns errors into one line."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import waybill
from waybill.api.cli.console import drop_unwritten, help_without_command, note, prepare_streams
from waybill.exporter.errors import ExportRejected, InvalidRequest, WaybillError
from waybill.infra.config.logs import configure_logging
from waybill.storage.errors import StorageError

#: Every command: where its function is, and its line in `waybill --help`, which a test holds
#: against its docstring. By name, and not by import: `waybill --help` would load each library of
#: each command, for a second and a half, to print these lines.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "export": (
        "waybill.api.cli.export",
        "export",
        "Export a dataset, a table or a query to a file or to S3, with a progress bar.",
    ),
    "sample": (
        "waybill.api.cli.sample",
        "sample",
        "Fill the sample shop into the source database. Deterministic and idempotent.",
    ),
    "serve": (
        "waybill.api.cli.serve",
        "serve",
        "Run the API and the task centre; with the worker inside when there is no broker.",
    ),
    "worker": ("waybill.api.cli.serve", "worker", "Run consumers, relay and sweeper."),
    "migrate": (
        "waybill.api.cli.schema",
        "migrate",
        "Create or upgrade the task tables. Idempotent.",
    ),
    "topology": (
        "waybill.api.cli.schema",
        "topology",
        "Declare exchanges and queues in RabbitMQ. Idempotent; needs configure rights.",
    ),
    "token": (
        "waybill.api.cli.credentials",
        "token",
        "Print a token for development, and nothing else",
    ),
    "webhook-secret": (
        "waybill.api.cli.credentials",
        "webhook_secret",
        "Print the secrets that webhooks of a tenant are signed with; the current one first.",
    ),
    "datasets": (
        "waybill.api.cli.datasets",
        "datasets",
        "List the datasets that can be exported, with their parameters and columns.",
    ),
    "tasks": (
        "waybill.api.cli.tasks",
        "app",
        "List, show, cancel and retry export tasks.",
    ),
    "approvals": (
        "waybill.api.cli.approvals",
        "app",
        "List exports that wait for an approval; approve and decline them.",
    ),
    "dead-letters": (
        "waybill.api.cli.dead_letters",
        "app",
        "List, show, replay and dismiss dead letters.",
    ),
    "pauses": (
        "waybill.api.cli.pauses",
        "app",
        "List what is paused; pause and resume queues and datasets.",
    ),
    "schedules": (
        "waybill.api.cli.schedules",
        "app",
        "List, show, pause, resume, run and delete schedules.",
    ),
    "audit-log": (
        "waybill.api.cli.audit_log",
        "app",
        "Verify that nobody has rewritten the audit log.",
    ),
    "sessions": (
        "waybill.api.cli.sessions",
        "app",
        "Revoke the tokens of people before they expire.",
    ),
    "reconcile": (
        "waybill.api.cli.reconcile",
        "reconcile",
        "Compare the bucket with the database; exit 1 if they differ and nothing was fixed.",
    ),
    "doctor": (
        "waybill.api.cli.doctor.command",
        "doctor",
        "Check database, broker, store, clocks, links, mail, memory and secrets; one line each.",
    ),
    "demo": (
        "waybill.api.cli.demo",
        "demo",
        "Start everything, export the sample shop's orders, and print the link.",
    ),
}


class _ReaderLeft(Exception):
    """Nobody reads the output any more."""


class LazyGroup(TyperGroup):
    """A group that loads the module of a command when the command is used."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. The reader of its output may leave before the end, as `head` does."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            # Typer would take it for a failure.
            raise _ReaderLeft from None
        return result

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command; None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _help = COMMANDS[cmd_name]
        command = getattr(import_module(module), name)
        if not isinstance(command, typer.Typer):
            function, command = command, typer.Typer(add_completion=False, rich_markup_mode=None)
            command.command(cmd_name)(function)
        return typer.main.get_command(command)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyGroup,
    help="Export any table to a signed link.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich takes longer to load than everything else that prints the help.
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(waybill.__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Export any table to a signed link."""
    help_without_command(context)


def main() -> None:
    """Run the command line. Ends with 0, 2 for bad input, 1 for failure."""
    configure_logging(logging.WARNING)
    prepare_streams()
    _clean_up_on_signals()
    try:
        _refuse_broken_text(sys.argv[1:])
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(error.format_message(), 2)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except _ReaderLeft:
        # What a shell shows for a program that SIGPIPE ended.
        code = 128 + signal.SIGPIPE
    except ExportRejected as error:
        code = _complain(error.message, 2)
    except (WaybillError, StorageError) as error:
        code = _complain(error.message, 1)
    except OSError as error:
        code = _complain(f"{error.filename or 'System error'}: {error.strerror or error}.", 1)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        code = _complain(_unexpected(error), 1)
    finally:
        drop_unwritten()
    sys.exit(code or 0)


def _clean_up_on_signals() -> None:
    """End as Ctrl-C does, so that an upload is aborted and an embedded server ended on the way."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has SIGHUP ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))


def _unexpected(error: Exception) -> str:
    """One line about a fault of our own. The error's own text stays out: it may hold a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"Unexpected {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}."
        " Set PYTHONDEVMODE=1 to see the traceback, and report it."
    )


def _refuse_broken_text(arguments: Sequence[str]) -> None:
    """Refuse an argument that is not UTF-8: no database, bucket or terminal could be given it."""
    for position, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            own, separator, _ = argument.partition("=")
            before = arguments[position - 2] if position > 1 else ""
            option = own if separator and own.isascii() else before
            name = option if option.startswith("-") else f"Argument {position}"
            raise InvalidRequest(
                f"{name} is not text in UTF-8. Convert it, or set LC_ALL to the encoding it is in."
            ) from None


def _complain(message: str, code: int) -> int:
    note(f"waybill: {' '.join(message.split())}")
    return code
