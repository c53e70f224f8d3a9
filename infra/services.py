"""Services: what the API's routes work with, made of the parts of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property, partial

from sqlalchemy.engine import Engine

from waybill.exporter.datasets.dataset import Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.ports import Source
from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.settings import Settings
from waybill.infra.db.installation import installation_id
from waybill.infra.db.shared_secret import shared_secret
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.exports.key_seal import KeySeal
from waybill.infra.files.stored_files import StoredFiles
from waybill.infra.links.share_links import ShareLinks
from waybill.infra.links.shared_files import SharedFiles
from waybill.infra.notifications.opt_outs import MailOptOuts
from waybill.infra.notifications.queries import NotificationQueries
from waybill.infra.notifications.rules import NotificationRules
from waybill.infra.previews.previewer import Previewer
from waybill.infra.schedules.build import build_runs, link_tokens
from waybill.infra.schedules.owners import ScheduleOwners
from waybill.infra.schedules.runs import Prepare, ScheduleRuns
from waybill.infra.schedules.saved_exports import SavedExports, Viewer
from waybill.infra.schedules.schedules import Schedules
from waybill.infra.sessions.revocations import Revocations
from waybill.infra.sessions.tickets import Tickets
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.file_sets import FileSets
from waybill.infra.tasks.lifecycle.approvals import Approvals
from waybill.infra.tasks.lifecycle.interventions import Interventions
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.oversight import OversightReads
from waybill.infra.tasks.pauses import Pauses
from waybill.infra.tasks.preview_log import PreviewLog
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.changes import TaskChanges
from waybill.infra.tasks.queries.scope import Scope, scope_of
from waybill.infra.tasks.refusals import Refusals
from waybill.infra.tasks.session_log import SessionLog
from waybill.infra.tasks.workers import Workers
from waybill.storage.store import ObjectStore


class Services:
    """The settings, the datasets, the stores, and the signals of this process."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        engine: Engine,
        store: ObjectStore,
        estimator: Estimator,
        sources: Mapping[str, Source],
        notification_rules: NotificationRules,
        *,
        wake_relay: Callable[[], None],
        checks: Mapping[str, Callable[[], object]],
        stopping: asyncio.Event,
    ) -> None:
        """Connect to nothing; `waybill.infra.bootstrap` builds one for each process.

        `engine` is that of the task tables. `wake_relay` makes a relay in this process look at
        the outbox; it is thread-safe and cheap. `checks` are what ``/readyz`` runs, by name; each
        returns, or raises with one line that says why. `stopping` is set when the process is
        about to end: event streams end then.
        """
        self.settings = settings
        self._engine = engine
        self.registry = registry
        self.store = store
        self.estimator = estimator
        self.previewer = Previewer(sources)
        self.preview_log = PreviewLog(engine)
        self.notification_rules = notification_rules
        self.wake_relay = wake_relay
        self.checks = checks
        self.stopping = stopping
        self.requests = TaskRequests(engine, limits=settings)
        self.changes = TaskChanges(engine)
        self.history = TaskHistory(engine)
        self.admin_queries = AdminQueries(engine)
        self.dead_letters = DeadLetters(
            engine, limits=settings, check_targets=notification_rules.check_again
        )
        self.interventions = Interventions(
            engine, limits=settings, check_targets=notification_rules.check_again
        )
        self.approvals = Approvals(engine)
        self.key_seal = KeySeal.of(notification_rules.webhook_keys, partial(shared_secret, engine))
        self.mail_opt_outs = MailOptOuts(engine, settings.public_url)
        self.link_tokens = link_tokens(settings, engine)
        self.links = ShareLinks(engine, self.link_tokens)
        self.shared_files = SharedFiles(engine)
        self.files = StoredFiles(engine, store)
        self.file_sets = FileSets(engine)
        self.refusals = Refusals(engine)
        self.oversight_reads = OversightReads(engine)
        self.session_log = SessionLog(engine)
        self.revocations = Revocations(engine)
        self.tickets = Tickets(engine)
        self.notifications = NotificationQueries(engine)
        self.workers = Workers(engine)
        self.pauses = Pauses(engine)
        self.saved_exports = SavedExports(engine, most_per_user=settings.max_saved_exports_per_user)
        self.schedules = Schedules(
            engine,
            most_per_user=settings.max_schedules_per_user,
            min_interval=settings.schedule_min_interval,
        )
        self.schedule_owners = ScheduleOwners(engine)

    def admin_scope(self, user: Principal) -> Scope | None:
        """What `user` may see by admin queries; None for most people."""
        return scope_of(user, self.settings)

    def viewer(self, user: Principal) -> Viewer:
        """`user`, with what decides which saved exports and schedules they see."""
        datasets = [item.name for item in self.registry if item.allows(user)]
        return Viewer(user, datasets, is_admin=self.admin_scope(user) is not None)

    def schedule_runs(self, prepare: Prepare) -> ScheduleRuns:
        """What runs schedules, with `prepare` for their exports."""
        return build_runs(self.settings, self._engine, prepare)

    @cached_property
    def installation(self) -> str:
        """The id of the installation, which stands in object keys."""
        return installation_id(self._engine)

    @cached_property
    def cursor_key(self) -> bytes:
        """The key of list cursors, the same in all API processes of the installation.

        With an identity provider they share no secret but what is in the task database.
        """
        if self.settings.jwt_secret is not None:
            return self.settings.derived_key("cursors")
        return derived_key(shared_secret(self._engine, "cursors"), "cursors")
