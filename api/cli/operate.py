"""Small commands of operators and developers: migrate, sample, token."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from waybill.api.cli.console import emit, progress_bar
from waybill.api.session.development_tokens import mint
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import check_database
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine
from waybill.infra.db.migrate import upgrade
from waybill.infra.exports.dataset_loader import load_datasets
from waybill.infra.notifications.rules import build_signer
from waybill.infra.sample.fill import ORDERS, fill_sample, sample_size

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def migrate(as_json: JsonFlag = False) -> None:
    """Create or upgrade the task tables. Idempotent."""
    engine = create_engine(load().task_database_url)
    try:
        check_database(engine)
        upgrade(engine)
    finally:
        engine.dispose()
    emit({"status": "up to date"}, "The task tables are up to date.", as_json=as_json)


def topology(as_json: JsonFlag = False) -> None:
    """Declare exchanges and queues in RabbitMQ. Idempotent; needs configure rights."""
    settings = load()
    if settings.amqp_url is None:
        raise InvalidRequest("WAYBILL_AMQP_URL is not set: there is no broker to prepare.")
    queues = load_datasets(settings.datasets).queues
    url = settings.amqp_url.get_secret_value()
    asyncio.run(_declare(RabbitBroker(url, queues, delays=settings.retry_delays)))
    emit({"queues": queues}, f"Ready for the queues {', '.join(queues)}.", as_json=as_json)


def sample(
    orders: Annotated[
        int, typer.Option(min=1, max=50_000_000, help="Orders in the shop.")
    ] = ORDERS,
    as_json: JsonFlag = False,
) -> None:
    """Fill the sample shop into the source database. Deterministic and idempotent."""
    engine = create_engine(load().rows_database_url)
    try:
        check_database(engine)
        with progress_bar("Filling the sample shop", orders) as (bar, row):
            written = fill_sample(engine, orders, lambda rows: bar.advance(row, rows))
        total = sample_size(engine)
    finally:
        engine.dispose()
    emit(
        {"orders": total, "written": written},
        f"The sample shop holds {total:,} orders ({written:,} written now).",
        as_json=as_json,
    )


def token(
    user: Annotated[str, typer.Option(help="Subject of the token.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the user.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 30, help="Life in hours.")] = 12,
    email: Annotated[str | None, typer.Option(help="Mail address of the user.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print a token for development, and nothing else."""
    ttl = timedelta(hours=hours)
    text = mint(load(), user, tenant, frozenset(role or ()), ttl, email)
    emit({"token": text}, text, as_json=as_json)


def webhook_secret(
    tenant: Annotated[str, typer.Option(help="Tenant whose webhooks are verified with it.")],
    as_json: JsonFlag = False,
) -> None:
    """Print the secrets that webhooks of a tenant are signed with; the current one first."""
    signer = build_signer(load())
    if signer is None:
        raise BadSettings("WAYBILL_WEBHOOK_SECRETS is not set: no webhooks are signed.")
    secrets = signer.secrets_of(tenant)
    emit({"secrets": secrets}, "\n".join(secrets), as_json=as_json)


async def _declare(broker: RabbitBroker) -> None:
    try:
        await broker.declare_topology()
    finally:
        await broker.close()
