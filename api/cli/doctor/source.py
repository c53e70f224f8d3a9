"""What `waybill doctor` asks of the datasets and the database they read."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.bootstrap import Stack
from waybill.infra.sources.databases import installed_sources, parse_database_url
from waybill.infra.sources.names import ROWS


def check_datasets(stack: Stack) -> str:
    """How many datasets are declared, and their queues."""
    return f"{len(list(stack.registry))} declared, queues {', '.join(stack.registry.queues)}"


def check_sources(stack: Stack) -> str:
    """Which kinds of databases can be read here, and what to install for the others."""
    return "; ".join(installed_sources())


def check_source(stack: Stack) -> str:
    """Which database the rows are read from, if it answers."""
    if stack.settings.source_url is None:
        return "the task database"
    with stack.source(ROWS).open(sa.select(sa.literal(1).label("one")), count=False) as stream:
        _ = stream.schema
    backend = parse_database_url(stack.database_url(ROWS)).get_backend_name()
    return f"{backend}, answers"
