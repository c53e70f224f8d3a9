"""All settings with their defaults and meanings, read from the environment or ``.env``.

A wrong value, or a ``WAYBILL_`` name that does not exist, ends the process with one clear line
and exit code 2. A setting that is silently ignored is the hardest kind of fault to find at 3 a.m.

Settings are plain values. Nothing here connects to anything, and features read settings, never
the other way round.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from waybill.infra.config.addresses import is_loopback
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.amqp_urls import OptionalAmqpUrls, amqp_urls
from waybill.infra.config.database_settings import DatabaseSettings
from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.embedding import EmbeddingSettings
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.identity import IdentitySettings
from waybill.infra.config.limits import Limits
from waybill.infra.config.memory import MemoryBudget, memory_budget
from waybill.infra.config.notifications import NotificationSettings
from waybill.infra.config.stored_secret import MIN_SECRET_BYTES, stored_secret
from waybill.infra.config.value_types import (
    Days,
    Delays,
    MemoryText,
    OptionalSecret,
    OptionalText,
    Seconds,
)
from waybill.storage.endpoints import check_endpoint, check_virtual_addressing

PREFIX = "WAYBILL_"
EMBEDDED = "embedded"
#: What nobody guesses: 96 random bits in base 64.
MIN_METRICS_TOKEN_CHARS = 16
AWS = "aws"
#: The triggers of the audit log insist on it.
LEAST_AUDIT_AGE = timedelta(days=30)
#: Variables that Kubernetes and Docker links set in every container next to a Service whose name
#: begins with ``waybill``: https://kubernetes.io/docs/concepts/services-networking/service/
_PATH_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_SERVICE_LINK = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


class Settings(
    BaseSettings,
    NotificationSettings,
    IdentitySettings,
    DatabaseSettings,
    Limits,
    AdminRoles,
    EmbeddingSettings,
):
    """The settings of one process. Build them with `load`, which explains what is wrong.

    All durations are `timedelta`. The environment gives each a name with its unit.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        # As compose files write it: `WAYBILL_S3_REGION=${S3_REGION:-}`.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    amqp_url: OptionalAmqpUrls = Field(
        None,
        description="RabbitMQ 3.10 to 4.x. A cluster has several addresses: "
        "`amqp://user:password@a:5672,b:5672/vhost`, or URLs separated by commas. Default: a "
        "broker inside the process.",
    )
    s3_endpoint_url: str = Field(
        EMBEDDED,
        description="`embedded` (a local S3 server, one per WAYBILL_HOME), `aws`, or a URL.",
    )
    s3_public_endpoint_url: OptionalText = Field(
        None, description="Host in signed links, as browsers reach it. Default: the endpoint above."
    )
    s3_bucket: str = Field("waybill-exports", description="Bucket; created if it is missing.")
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where the bucket stands in requests and links. `path`: `host/bucket/key`; "
        "`virtual`: `bucket.host/key`; `auto`: as AWS has it, and by path for other servers "
        "unless they ask for the other.",
    )
    s3_access_key_id: OptionalText = Field(None, description="Default: the usual AWS chain.")
    s3_secret_access_key: OptionalSecret = Field(None, description="Default: the usual AWS chain.")
    s3_region: OptionalText = Field(
        None, description="Default: the usual AWS chain; links get the region the bucket is in."
    )
    s3_sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        None,
        description="Server-side encryption that each file is stored with: `AES256`, `aws:kms` or "
        "`aws:kms:dsse`. Default: what the bucket has.",
    )
    s3_sse_kms_key_id: OptionalText = Field(
        None, description="Key of `aws:kms`. Default: the one the store keeps for the account."
    )
    datasets: str = Field(
        "waybill.infra.sample.datasets",
        description="Python module or file that declares datasets. Default: the sample shop.",
    )
    home: Path = Field(Path(".waybill"), description="Local state of the embedded stack.")
    public_url: OptionalText = Field(
        None,
        description="Where browsers reach the page, with a path prefix if a proxy strips one: "
        "`https://exports.example.com`, `https://example.com/waybill`. Used in share links, "
        "webhooks and mails, and to know requests of the page behind a proxy. Without it share "
        "links are relative, and webhooks and mails contain no link.",
    )
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
    max_attempts: int = Field(3, ge=1, le=100, description="Attempts of one task.")
    lease: Seconds = Field(
        timedelta(seconds=60),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        validation_alias="WAYBILL_LEASE_SECONDS",
        description="Seconds without a heartbeat after which a worker loses its task.",
    )
    stall: Seconds = Field(
        timedelta(hours=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        validation_alias="WAYBILL_STALL_SECONDS",
        description="Seconds without progress after which an attempt is ended and tried again. "
        "Has to be longer than the longest sort or count of any query.",
    )
    retry_delays: Delays = Field(
        tuple(timedelta(seconds=n) for n in (2, 8, 30, 120)),
        description="Seconds before the second, third … attempt; the last one repeats.",
    )
    give_up_after: Seconds = Field(
        timedelta(days=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=30),
        description="Seconds that a task waits for an object store or a source database that is "
        "away. The wait costs no attempt; after it the task is FAILED.",
    )
    concurrency: int = Field(
        2,
        ge=1,
        le=64,
        description="Exports that one worker runs at once, for each queue, if WAYBILL_MEMORY has "
        "room for them.",
    )
    memory: MemoryText = Field(
        "80%",
        description="Memory budget of one process for itself and all its exports: `512MiB`, "
        "`1.5GB`, or a share of the container's limit, `60%` (of the machine's memory without "
        "one). Exports that would pass it wait, and a row that would is `row_too_large`.",
    )
    shutdown_grace: Seconds = Field(
        timedelta(seconds=10),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="Seconds that running exports have to finish when the process is asked to end.",
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
    jwt_secret: OptionalSecret = Field(
        None, description="Shared HS256 secret. Default: a random one kept in WAYBILL_HOME."
    )
    jwks_url: OptionalText = Field(
        None,
        description="JWKS of the identity provider (RS256, ES256): the `jwks_uri` of its discovery "
        "document.",
    )
    jwt_audience: str = Field("waybill", description="Expected `aud`.")
    jwt_issuer: str = Field("waybill", description="Expected `iss`.")
    trust_email_claim: bool = Field(
        False,
        description="Accept `email` of a token that has no `email_verified`. Only for identity "
        "providers that verify every address: elsewhere users choose whom Waybill sends mails to.",
    )

    metrics_token: OptionalSecret = Field(
        None,
        description="Bearer token that `/metrics` asks for. Default: it is open to programs on the "
        "same machine, and closed to requests that a proxy has passed on.",
    )

    @field_validator("s3_endpoint_url")
    @classmethod
    def _endpoint_is_an_address(cls, value: str) -> str:
        return value if value in (EMBEDDED, AWS) else check_endpoint(value)

    @field_validator("s3_public_endpoint_url")
    @classmethod
    def _public_endpoint_is_an_address(cls, value: str | None) -> str | None:
        return None if value is None else check_endpoint(value)

    @field_validator("s3_addressing")
    @classmethod
    def _bucket_fits_into_the_host(cls, value: str, info: ValidationInfo) -> str:
        endpoint = info.data.get("s3_endpoint_url")
        if value == "virtual" and endpoint != EMBEDDED and "s3_bucket" in info.data:
            urls = (endpoint, info.data.get("s3_public_endpoint_url"))
            check_virtual_addressing(
                info.data["s3_bucket"], *(None if url == AWS else url for url in urls)
            )
        return value

    @field_validator("audit_retention")
    @classmethod
    def _entries_are_kept_for_a_month(cls, value: timedelta) -> timedelta:
        if timedelta(0) < value < LEAST_AUDIT_AGE:
            raise ValueError("must be 0 or at least 30: the database deletes no younger entry")
        return value

    @field_validator("s3_sse_kms_key_id")
    @classmethod
    def _key_has_a_use(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not (info.data.get("s3_sse") or "").startswith("aws:kms"):
            raise ValueError("needs WAYBILL_S3_SSE to be aws:kms or aws:kms:dsse")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _secret_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _token_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_METRICS_TOKEN_CHARS:
            raise ValueError(f"must have at least {MIN_METRICS_TOKEN_CHARS} characters")
        return value

    @field_validator("jwks_url")
    @classmethod
    def _keys_come_over_tls(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://none")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be https:// and the address of a key set")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be https://: over http:// anybody on the way chooses the keys")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url_is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        more = (parts.username, parts.query, parts.fragment)
        if parts.scheme not in ("http", "https") or not parts.hostname or any(more):
            raise ValueError("must be http:// or https:// and a host, with a path at most")
        if not _PATH_PREFIX.fullmatch(parts.path.rstrip("/")):
            raise ValueError("its path may have letters, digits, '.', '_', '~' and '-' only")
        return value.rstrip("/")

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

    @property
    def task_database_url(self) -> str:
        """The SQLAlchemy URL of the task tables."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.home / 'waybill.db').resolve()}"

    @property
    def rows_database_url(self) -> str:
        """The SQLAlchemy URL of the rows."""
        return self.source_url.get_secret_value() if self.source_url else self.task_database_url

    @property
    def memory_budget(self) -> MemoryBudget:
        """What this process may take for itself and all its exports."""
        return memory_budget(self.memory)

    @property
    def broker_urls(self) -> list[str]:
        """One URL for each address of the broker; empty without one."""
        return amqp_urls(self.amqp_url.get_secret_value()) if self.amqp_url else []

    def signing_secret(self) -> str:
        """The HS256 secret of tokens. Without the setting, one is drawn and kept in the home.

        Raises:
            BadSettings: the file of the home is damaged.
        """
        if self.jwt_secret:
            return self.jwt_secret.get_secret_value()
        return stored_secret(self.home / "jwt.secret")

    def derived_key(self, purpose: str) -> bytes:
        """32 bytes made of `signing_secret` for one purpose, such as signing cursors."""
        return derived_key(self.signing_secret().encode(), purpose)


def environment_name(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else PREFIX + field.upper()


def load(**overrides: object) -> Settings:
    """Read the settings; `overrides` win over the environment.

    Raises:
        BadSettings: one line naming the setting and what is wrong, never its value.
    """
    try:
        names = set(os.environ) | set(dotenv_values(".env"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise BadSettings(f".env in the working directory cannot be read: {reason}.") from None
    known = {environment_name(field) for field in Settings.model_fields}
    if unknown := sorted(
        name
        for name in names
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not _SERVICE_LINK.fullmatch(name)
    ):
        nearest = get_close_matches(unknown[0].upper(), sorted(known), n=1)
        remedy = f" Did you mean {nearest[0]}?" if nearest else ""
        raise BadSettings(f"Unknown setting: {', '.join(unknown)}.{remedy}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = str(first["loc"][0])
        name = environment_name(place) if place in Settings.model_fields else place
        problem = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"{name}: {problem}.") from None
