"""Settings of files and records: how values look in files, and how long everything is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, field_validator

from waybill.infra.config.value_types import Days, Seconds

#: The triggers of the audit log insist on it.
LEAST_AUDIT_AGE = timedelta(days=30)


class FileSettings(BaseModel):
    """The part of `Settings` that is about files, links and retention."""

    link_ttl: Seconds = Field(
        timedelta(seconds=900),
        gt=timedelta(0),
        le=timedelta(days=7),
        description="Lifetime of a signed link in seconds, at most 7 days.",
    )
    retention: Days = Field(
        timedelta(days=7),
        ge=timedelta(days=1),
        le=timedelta(days=3650),
        validation_alias="WAYBILL_RETENTION_DAYS",
        description="Days after which files are deleted and their tasks are EXPIRED.",
    )
    task_retention: Days = Field(
        timedelta(days=90),
        ge=timedelta(days=1),
        le=timedelta(days=3650),
        validation_alias="WAYBILL_TASK_DAYS",
        description="Days after which tasks that have ended and have no file are deleted, with "
        "their share links, idempotency keys and dead letters. The audit log keeps its entries.",
    )
    audit_retention: Days = Field(
        timedelta(0),
        ge=timedelta(0),
        le=timedelta(days=36_500),
        validation_alias="WAYBILL_AUDIT_DAYS",
        description="Days after which entries of the audit log are stored as files in the bucket, "
        "under `audit/`, and deleted from the database: 30 at least, or 0, which keeps them.",
    )
    csv_profile: Literal["excel", "excel-semicolon", "machine"] = Field(
        "excel",
        description="How CSV is written unless a request says otherwise. `excel`: UTF-8 with BOM, "
        "CRLF, formula-safe; `excel-semicolon`: the same with semicolons and decimal commas; "
        "`machine`: plain UTF-8, raw.",
    )
    parquet_profile: Literal["compatible", "small"] = Field(
        "compatible",
        description="How Parquet is encoded. `compatible`: Snappy, for every reader; `small`: "
        "Zstandard and delta coding, about half the size.",
    )
    timezone: str = Field(
        "UTC", description="Time zone in which files show timestamps that have a zone."
    )

    @field_validator("audit_retention")
    @classmethod
    def _entries_are_kept_for_a_month(cls, value: timedelta) -> timedelta:
        if timedelta(0) < value < LEAST_AUDIT_AGE:
            raise ValueError("must be 0 or at least 30: the database deletes no younger entry")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
            # Python knows these two, Polars does not.
            if value in ("Factory", "localtime"):
                raise ValueError
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be the name of a time zone, such as Europe/Berlin") from None
        return value
