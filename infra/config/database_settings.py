"""Settings of the databases: the task tables, and the rows that are exported."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from waybill.infra.config.value_types import OptionalSecret, OptionalText

#: What PostgreSQL takes for a schema without quotes; 63 bytes is the longest name it keeps.
_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


def _check_schema(value: str | None) -> str | None:
    if value is not None and not _SCHEMA.fullmatch(value):
        raise ValueError(
            "must be a schema's name: small letters, digits and '_', 63 at most, not pg_…"
        )
    return value


class DatabaseSettings(BaseModel):
    """Which databases, and where in them."""

    database_url: OptionalSecret = Field(
        None, description="Task tables: a SQLAlchemy URL. Default: a SQLite file in WAYBILL_HOME."
    )
    database_schema: Annotated[OptionalText, AfterValidator(_check_schema)] = Field(
        None,
        description="Schema of the task tables on PostgreSQL, the version table `waybill_version` "
        "included; made if it is missing. Default: `public` where the tables are there already, "
        "else `waybill`. On SQLite a prefix of their names: `exports` gives `exports_outbox`. "
        "Default: none.",
    )
    source_url: OptionalSecret = Field(
        None, description="Database the exported rows are read from. Default: the task database."
    )
