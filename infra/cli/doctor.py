"""`waybill doctor`: is everything this process would need there, and in order?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from exporter.errors import WaybillError
from infra.cli.console import emit
from infra.settings import load
from infra.stack import Stack, open_stack
from storage.errors import StorageError

#: More than this makes signed links die early or live too long. (S3 itself refuses 15 min.)
_MAX_SKEW_SECONDS = 60


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check database, broker, storage, clock and signing host; one line each."""
    settings = load()
    results: list[dict[str, str | bool]] = []
    with open_stack(settings, migrate=False) as stack:
        for name, check in _checks(stack).items():
            try:
                results.append({"check": name, "ok": True, "detail": check()})
            except (WaybillError, StorageError) as error:
                results.append({"check": name, "ok": False, "detail": error.message})
    lines = [
        f"{'ok  ' if item['ok'] else 'BAD '} {item['check']}: {item['detail']}" for item in results
    ]
    emit(results, "\n".join(lines), as_json=as_json)
    if not all(item["ok"] for item in results):
        raise typer.Exit(1)
