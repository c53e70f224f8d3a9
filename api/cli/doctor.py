"""`waybill doctor`: checks everything a process needs, one line for each."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import typer
import urllib3

from waybill.api.cli.console import emit
from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import Settings, load
from waybill.storage.errors import StorageError

#: More than this makes signed links die early or live too long. (S3 itself refuses 15 min.)
_MAX_SKEW_SECONDS = 60


class ClockSkew(WaybillError):
    """The clocks of this machine and of the object store disagree."""

    code = "clock_skew"
    retry = False


class LinkUnreachable(WaybillError):
    """The host signed into links cannot be reached from here."""

    code = "link_unreachable"
    retry = False


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check database, broker, storage, clock and signing host; one line each."""
    settings = load()
    results = [_run(name, check, settings) for name, check in _CHECKS.items()]
    lines = [
        f"{'ok ' if item['ok'] else 'BAD'} {item['check']}: {item['detail']}" for item in results
    ]
    emit(results, "\n".join(lines), as_json=as_json)
    if not all(item["ok"] for item in results):
        raise typer.Exit(1)


def _run(name: str, check: Callable[[Stack], str], settings: Settings) -> dict[str, Any]:
    try:
        with Stack(settings) as stack:
            return {"check": name, "ok": True, "detail": check(stack)}
    except (WaybillError, StorageError) as error:
        return {"check": name, "ok": False, "detail": error.message}


def _datasets(stack: Stack) -> str:
    return f"{len(list(stack.registry))} declared, queues {', '.join(stack.registry.queues)}"


def _database(stack: Stack) -> str:
    stack.check_database()
    return stack.engine.dialect.name


def _broker(stack: Stack) -> str:
    if stack.settings.amqp_url is None:
        return "inside the process"
    return asyncio.run(_ask_broker(stack))


async def _ask_broker(stack: Stack) -> str:
    # It declares nothing: what is missing is what the check has to find.
    broker = stack.rabbit_broker(declare=False)
    try:
        report = await broker.check()
    finally:
        await broker.close()
    return f"RabbitMQ {report.version}, {report.dead_letters} dead letters"


def _storage(stack: Stack) -> str:
    settings = stack.settings
    not_set = stack.store.ensure_bucket(settings.retention.days)
    skew = abs(stack.store.check().total_seconds())
    if skew > _MAX_SKEW_SECONDS:
        raise ClockSkew(f"The store's clock and ours are {skew:.0f} s apart.")
    rules = f"; lifecycle rules not set: {', '.join(not_set)}" if not_set else ""
    return f"bucket {settings.s3_bucket}, clocks {skew:.0f} s apart{rules}"


def _signing(stack: Stack) -> str:
    """Fetch a probe by a signed link, the way a browser would: through the public host."""
    key = f"probe/{secrets.token_hex(8)}"
    store = stack.store
    store.ensure_bucket(stack.settings.retention.days)
    with store.open_upload(key, content_type="text/plain") as upload:
        upload.write(b"waybill")
    try:
        link = store.presign(
            key, filename="probe.txt", content_type="text/plain", ttl=timedelta(minutes=1)
        )
        answer = urllib3.request("GET", link.url, timeout=10, retries=False)
    except urllib3.exceptions.HTTPError:
        raise LinkUnreachable() from None
    finally:
        store.delete(key)
    if answer.status != HTTPStatus.OK or answer.data != b"waybill":
        raise LinkUnreachable(f"The host signed into links answered {answer.status}.")
    return "a signed link was fetched through it"


#: Every check gets a stack of its own, so that one that fails does not hide the others.
_CHECKS: dict[str, Callable[[Stack], str]] = {
    "datasets": _datasets,
    "database": _database,
    "broker": _broker,
    "storage": _storage,
    "signing host": _signing,
}
