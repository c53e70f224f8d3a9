"""Builds what runs schedules out of the settings of a process."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.engine import Engine

from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.settings import Settings
from waybill.infra.db.shared_secret import shared_secret
from waybill.infra.links.share_links import DerivedTokens
from waybill.infra.schedules.runs import Prepare, RunSettings, ScheduleRuns


def link_tokens(settings: Settings, engine: Engine) -> DerivedTokens:
    """The tokens of links in mails, the same in all workers of the installation."""

    def key() -> bytes:
        if settings.jwt_secret is not None:
            return settings.derived_key("share links")
        # With an identity provider they share no secret but what is in the task database.
        return derived_key(shared_secret(engine, "share links"), "share links")

    return DerivedTokens(key)


def build_runs(settings: Settings, engine: Engine, prepare: Prepare) -> ScheduleRuns:
    """The runs of one process, by its settings."""
    days = settings.schedule_owner_days
    bounds = RunSettings(
        limits=settings,
        max_failures=settings.schedule_max_failures,
        owner_absence=timedelta(days=days) if days else None,
    )
    return ScheduleRuns(engine, prepare, link_tokens(settings, engine), bounds)
