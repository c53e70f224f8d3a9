"""`waybill doctor`: checks everything a process needs, one line for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from waybill.api.cli.console import emit
from waybill.api.cli.doctor.audit_log import check_audit_log
from waybill.api.cli.doctor.broker import check_broker
from waybill.api.cli.doctor.claims import check_claims, read_token
from waybill.api.cli.doctor.database import check_database
from waybill.api.cli.doctor.dead_letters import check_dead_letters
from waybill.api.cli.doctor.identity_provider import check_identity_provider, check_login
from waybill.api.cli.doctor.mail import check_mail
from waybill.api.cli.doctor.memory import check_memory
from waybill.api.cli.doctor.proxy_login import check_proxy_login
from waybill.api.cli.doctor.remedies import with_remedy
from waybill.api.cli.doctor.secrets import check_secrets
from waybill.api.cli.doctor.source import check_datasets, check_source, check_sources
from waybill.api.cli.doctor.store import check_rights, check_signing_host, check_storage
from waybill.api.cli.doctor.workers import check_workers
from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import Settings, load
from waybill.storage.errors import StorageError

#: Each returns what it found, or raises the error that says what is wrong.
CHECKS: dict[str, Callable[[Stack], str]] = {
    "datasets": check_datasets,
    "database": check_database,
    "source": check_source,
    "sources": check_sources,
    "broker": check_broker,
    "storage": check_storage,
    "storage rights": check_rights,
    "signing host": check_signing_host,
    "workers": check_workers,
    "dead letters": check_dead_letters,
    "memory": check_memory,
    "mail": check_mail,
    "secrets": check_secrets,
    "audit log": check_audit_log,
    "identity provider": check_identity_provider,
    "login": check_login,
    "proxy login": check_proxy_login,
}


def doctor(
    token: Annotated[
        str | None,
        typer.Option(
            help="Say what the settings find in this token, too; - reads it from standard input."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check database, broker, store, clocks, links, mail, memory and secrets; one line each."""
    settings, checks = load(), dict(CHECKS)
    if token is not None:
        text = read_token(token)
        checks["token"] = lambda stack: check_claims(stack, text)
    results = [run_check(name, check, settings) for name, check in checks.items()]
    lines = [
        f"{'ok ' if item['ok'] else 'BAD'} {item['check']}: {item['detail']}" for item in results
    ]
    emit(results, "\n".join(lines), as_json=as_json)
    if not all(item["ok"] for item in results):
        raise typer.Exit(1)


def run_check(name: str, check: Callable[[Stack], str], settings: Settings) -> dict[str, Any]:
    """What one check found. It gets a stack of its own: one that fails does not hide the others."""
    try:
        with Stack(settings) as stack:
            return {"check": name, "ok": True, "detail": check(stack)}
    except (WaybillError, StorageError) as error:
        return {"check": name, "ok": False, "detail": with_remedy(error)}
    except OSError as error:
        detail = f"{error.filename or 'System error'}: {error.strerror or error}."
        return {"check": name, "ok": False, "detail": detail}
