"""The `waybill` command: parses, calls one thing, and turns errors into one line."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer

import waybill
from waybill.api.cli import dead_letters, demo, doctor, export, operate, serve
from waybill.api.cli.console import err
from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.infra.config.logs import configure_logging
from waybill.storage.errors import StorageError

app = typer.Typer(
    help="Export any table to a signed link.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("export")(export.export)
app.command("sample")(operate.sample)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("migrate")(operate.migrate)
app.command("topology")(operate.topology)
app.command("token")(operate.token)
app.command("webhook-secret")(operate.webhook_secret)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(waybill.__version__ + "\n")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Export any table to a signed link."""


def main() -> None:
    """Run the command line. Ends with 0, 2 for bad input, 1 for failure."""
    configure_logging(logging.WARNING)
    # As Ctrl-C does, so that an upload is aborted and an embedded server ended on the way out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(error.format_message(), 2)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except ExportRejected as error:
        code = _complain(error.message, 2)
    except (WaybillError, StorageError) as error:
        code = _complain(error.message, 1)
    sys.exit(code or 0)


def _complain(message: str, code: int) -> int:
    err.print(f"waybill: {' '.join(message.split())}", markup=False, soft_wrap=True)
    return code
