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
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.amqp_urls import OptionalAmqpUrls, amqp_urls
from waybill.infra.config.database_settings import DatabaseSettings
from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.embedding import EmbeddingSettings
from waybill.infra.config.env_file import ENV_FILE, check_env_file
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.file_settings import FileSettings
from waybill.infra.config.identity import IdentitySettings
from waybill.infra.config.limits import Limits
from waybill.infra.config.memory import MemoryBudget, memory_budget
from waybill.infra.config.notifications import NotificationSettings
from waybill.infra.config.oidc import OidcSettings
from waybill.infra.config.proxy_login import ProxyLoginSettings
from waybill.infra.config.run_settings import RunSettings
from waybill.infra.config.schedule_settings import ScheduleSettings
from waybill.infra.config.store_settings import StoreSettings
from waybill.infra.config.stored_secret import stored_secret
from waybill.infra.config.value_types import OptionalSecret, OptionalText

PREFIX = "WAYBILL_"
#: What nobody guesses: 96 random bits in base 64.
MIN_METRICS_TOKEN_CHARS = 16
_PATH_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
#: Variables that Kubernetes and Docker links set in every container next to a Service whose name
#: begins with ``waybill``: https://kubernetes.io/docs/concepts/services-networking/service/
_SERVICE_LINK = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


class Settings(
    BaseSettings,
    NotificationSettings,
    IdentitySettings,
    OidcSettings,
    ProxyLoginSettings,
    StoreSettings,
    FileSettings,
    RunSettings,
    ScheduleSettings,
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
        env_file=ENV_FILE,
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

    metrics_token: OptionalSecret = Field(
        None,
        description="Bearer token that `/metrics` asks for. Default: it is open to programs on the "
        "same machine, and closed to requests that a proxy has passed on.",
    )

    @field_validator("metrics_token")
    @classmethod
    def _token_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_METRICS_TOKEN_CHARS:
            raise ValueError(f"must have at least {MIN_METRICS_TOKEN_CHARS} characters")
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
    def kept_by_table(self) -> dict[str, timedelta]:
        """How long rows of a table are kept, by its name, where they are deleted by age."""
        kept = {
            "export_task": self.task_retention,
            "dead_letter": self.task_retention,
            "notification": self.notification_retention,
            "audit_log": self.audit_retention,
        }
        return {table: age for table, age in kept.items() if age}

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
        check_env_file()
        names = set(os.environ) | set(dotenv_values(ENV_FILE))
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
