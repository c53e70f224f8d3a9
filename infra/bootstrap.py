"""Bootstrap: builds the parts of a process from its settings, and closes them at its end.

Every process, every command and both test harnesses use it. Nothing else in Waybill creates an
engine of the task tables, a broker or an object store (`tests/unit/test_bootstrap.py`). Parts
are imported when they are built: `waybill export` loads neither a broker nor a worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.home import private_database, private_home
from waybill.infra.config.settings import Settings
from waybill.infra.config.store_settings import EMBEDDED
from waybill.infra.sources.names import ROWS, TASKS

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from waybill.exporter.datasets.dataset import Registry
    from waybill.exporter.ports import Source
    from waybill.infra.broker.port import Broker
    from waybill.infra.broker.rabbitmq.broker import RabbitBroker
    from waybill.infra.db.schema import TableSchema
    from waybill.infra.estimates.estimator import Estimator
    from waybill.infra.files.reconcile import Reconciler
    from waybill.infra.notifications.rules import NotificationRules
    from waybill.infra.schedules.runs import Prepare
    from waybill.infra.services import Services
    from waybill.infra.sources import Sources
    from waybill.infra.tasks.dead_letters import DeadLetters
    from waybill.infra.tasks.lifecycle.interventions import Interventions
    from waybill.infra.worker.dependencies import WorkerDependencies
    from waybill.infra.worker.relay import Relay
    from waybill.infra.worker.service import WorkerService
    from waybill.storage.store import ObjectStore, Owner

log = logging.getLogger(__name__)


class Stack:
    """The parts of one process, each built when it is first used. Use it as a context manager.

    Parts that are passed in replace those of the settings and stay open when the stack ends.
    Building a part raises `BadSettings`, `DatabaseUnavailable` or a `StorageError`, each with one
    line that says what is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None = None,
        engine: Engine | None = None,
        store: ObjectStore | None = None,
        sources: Sources | None = None,
        estimator: Estimator | None = None,
        notification_rules: NotificationRules | None = None,
    ) -> None:
        self.settings = settings
        self._open = ExitStack()
        replaced = {
            "registry": registry,
            "engine": engine,
            "store": store,
            "sources": sources,
            "estimator": estimator,
            "notification_rules": notification_rules,
        }
        # A cached property that has its value is never computed.
        self.__dict__.update({name: part for name, part in replaced.items() if part is not None})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def prepare(self) -> None:
        """Load the datasets, and bring the task tables and the bucket up to date."""
        _ = self.registry
        self.check_database()
        if newer := self.migrate():
            log.warning("the task tables are of a newer version", extra={"revision": newer})
        self.store.ensure_bucket()
        self.store.ensure_rules(self.owner, self.settings.retention.days)
        _ = self.sources

    @cached_property
    def registry(self) -> Registry:
        """The declared datasets."""
        from waybill.infra.exports.dataset_loader import load_datasets

        return load_datasets(self.settings.datasets, self.settings, schema=self.table_schema_name)

    @cached_property
    def table_schema(self) -> TableSchema:
        """The schema of the task tables."""
        from waybill.infra.db.schema import TableSchema

        return TableSchema(self.settings.database_schema)

    def table_schema_name(self) -> str | None:
        """Its name; None on SQLite. Connects unless it is known."""
        return self.table_schema.of(self.engine)

    @cached_property
    def engine(self) -> Engine:
        """The engine of the task tables."""
        own = self.settings.database_url is None
        return self._engine(self.settings.task_database_url, own=own, schema=self.table_schema)

    @cached_property
    def owner(self) -> Owner:
        """The id of this installation, which is in the task database, and its object keys."""
        from waybill.infra.db.installation import installation_id
        from waybill.infra.files.object_keys import installation_prefix
        from waybill.storage.store import Owner

        installation = installation_id(self.engine)
        return Owner(installation, installation_prefix(installation))

    @cached_property
    def rows_engine(self) -> Engine:
        """An engine that may write to the database of the rows: only the sample shop does."""
        from waybill.infra.sources.databases import writing_engine

        url = self.settings.rows_database_url
        if (engine := writing_engine(url)) is not None:
            return engine
        own = self.settings.source_url is None and self.settings.database_url is None
        return self._engine(url, own=own)

    def _engine(self, url: str, *, own: bool, schema: TableSchema | None = None) -> Engine:
        from waybill.infra.db.engine import create_engine

        if own:
            private_database(self.settings.home)
        engine = create_engine(url, schema=schema)
        self._open.callback(engine.dispose)
        return engine

    @cached_property
    def sources(self) -> Sources:
        """The databases that datasets read, by the names of `Dataset.reads`."""
        return {name: self.source(name) for name in (ROWS, TASKS)}

    def source(self, name: str) -> Source:
        """The database that datasets with ``reads=name`` read. Connects to nothing yet."""
        from waybill.infra.sources import open_source

        return open_source(self.database_url(name))

    def database_url(self, name: str) -> str:
        """The SQLAlchemy URL of the database called `name` in `Dataset.reads`."""
        settings = self.settings
        return settings.task_database_url if name == TASKS else settings.rows_database_url

    @cached_property
    def store(self) -> ObjectStore:
        """The object store, with the embedded server if the settings ask for it."""
        from waybill.storage.s3 import S3Store

        if self.settings.s3_endpoint_url == EMBEDDED:
            from waybill.storage.embedded import EmbeddedS3

            server = EmbeddedS3(private_home(self.settings.home), bucket=self.settings.s3_bucket)
            config = self._open.enter_context(server)
        else:
            from waybill.infra.config.store_config import s3_config

            config = s3_config(self.settings)
        return self._open.enter_context(closing(S3Store(config)))

    def broker(self) -> Broker:
        """A broker as the settings say, which the caller closes. It connects on first use."""
        if self.settings.amqp_url is None:
            from waybill.infra.broker.memory import MemoryBroker

            return MemoryBroker()
        return self.rabbit_broker()

    def rabbit_broker(self, *, declare: bool = True) -> RabbitBroker:
        """The RabbitMQ of the settings. With ``declare=False`` it creates no exchange or queue.

        Raises:
            BadSettings: WAYBILL_AMQP_URL is not set.
        """
        from waybill.infra.broker.rabbitmq.broker import RabbitBroker

        if self.settings.amqp_url is None:
            raise BadSettings("WAYBILL_AMQP_URL is not set: there is no broker to prepare.")
        return RabbitBroker(
            self.settings.amqp_url.get_secret_value(),
            self.registry.queues,
            delays=self.settings.retry_delays,
            declare=declare,
            installation=self.owner.installation,
        )

    @cached_property
    def estimator(self) -> Estimator:
        """What estimates how large an export will be."""
        from waybill.infra.estimates.estimator import Estimator
        from waybill.infra.estimates.history import TaskHistory
        from waybill.infra.estimates.timed_count import timed_counters

        return Estimator(TaskHistory(self.engine), timed_counters(self.sources))

    @cached_property
    def notification_rules(self) -> NotificationRules:
        """Which notifications a request may ask for."""
        from waybill.infra.notifications.opt_outs import MailOptOuts
        from waybill.infra.notifications.rules import NotificationRules

        return NotificationRules(self.settings, opt_outs=MailOptOuts(self.engine))

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead letters in the task tables."""
        from waybill.infra.tasks.dead_letters import DeadLetters

        return DeadLetters(
            self.engine,
            limits=self.settings,
            # Built when a replay asks for it: it may have to draw a secret.
            check_targets=lambda *asked: self.notification_rules.check_again(*asked),
        )

    @cached_property
    def interventions(self) -> Interventions:
        """What admins and operators do with the tasks of others."""
        from waybill.infra.tasks.lifecycle.interventions import Interventions

        return Interventions(
            self.engine,
            limits=self.settings,
            check_targets=lambda *asked: self.notification_rules.check_again(*asked),
        )

    @cached_property
    def reconciler(self) -> Reconciler:
        """What compares bucket and task tables."""
        from waybill.infra.files.reconcile import Reconciler

        return Reconciler(self.engine, self.store, self.owner.prefix)

    def services(
        self,
        wake_relay: Callable[[], None] = lambda: None,
        stopping: asyncio.Event | None = None,
        checks: Mapping[str, Callable[[], None]] | None = None,
        broker: Broker | None = None,
    ) -> Services:
        """What the API works with; see `Services`. With a `broker`, its access is checked, too."""
        from waybill.infra.services import Services

        return Services(
            self.settings,
            self.registry,
            self.engine,
            self.store,
            self.estimator,
            self.sources,
            self.notification_rules,
            wake_relay=wake_relay,
            checks={
                "database": self._check_ready_database,
                "storage": self.check_storage,
                **({"broker": broker.check_access} if broker else {}),
            }
            if checks is None
            else checks,
            stopping=stopping or asyncio.Event(),
        )

    def relay(self, broker: Broker) -> Relay:
        """A relay between the outbox and `broker`."""
        from waybill.infra.tasks.outbox import Outbox
        from waybill.infra.worker.relay import Relay

        return Relay(Outbox(self.engine), broker)

    def worker_dependencies(self) -> WorkerDependencies:
        """What an attempt works with."""
        from waybill.infra.db.shared_secret import shared_secret
        from waybill.infra.exports.key_seal import KeySeal
        from waybill.infra.tasks.lifecycle.runs import TaskRuns
        from waybill.infra.tasks.lifecycle.scheduler import FairScheduler
        from waybill.infra.tasks.shard_plans import ShardPlans
        from waybill.infra.tasks.shards import TaskShards
        from waybill.infra.worker.dependencies import WorkerDependencies
        from waybill.infra.worker.snapshot_holders import SnapshotHolders

        plans = ShardPlans(self.engine)
        return WorkerDependencies(
            self.settings,
            self.registry,
            FairScheduler(self.engine, self.settings.lease, limits=self.settings),
            TaskRuns(self.engine, self.settings.lease),
            plans,
            TaskShards(self.engine, self.settings.lease),
            SnapshotHolders(plans),
            self.store,
            self.sources,
            self.estimator,
            self.owner.installation,
            KeySeal.of(self.notification_rules.webhook_keys, partial(shared_secret, self.engine)),
        )

    def worker(
        self,
        broker: Broker,
        relay: Relay,
        *,
        queues: tuple[str, ...] = (),
        prepare: Prepare | None = None,
    ) -> WorkerService:
        """A worker for `queues` or all queues; with `prepare` it runs schedules, too."""
        from waybill.infra.worker.build import build_worker

        return build_worker(
            self.worker_dependencies(),
            broker,
            relay,
            engine=self.engine,
            dead_letters=self.dead_letters,
            reconciler=self.reconciler,
            queues=queues or self.registry.queues,
            prepare=prepare,
        )

    def check_database(self, *, tables: bool = False, clock: bool = False) -> None:
        """Raise `DatabaseUnavailable` unless the task database answers and takes writes.

        With `tables` also unless they were made, with `clock` unless its clock is ours."""
        from waybill.infra.db.availability import check_available, check_clock

        check_available(self.engine, tables=tables)
        if clock:
            check_clock(self.engine)

    def _check_ready_database(self) -> None:
        from waybill.infra.db.write_probe import probe_writes

        self.check_database(tables=True, clock=True)
        probe_writes(self.engine)

    def check_rows_database(self) -> None:
        """Raise `DatabaseUnavailable` unless the database of `rows_engine` takes writes."""
        from waybill.infra.db.availability import check_available

        check_available(self.rows_engine)

    def has_tables(self) -> bool:
        """Whether the task tables were made; `DatabaseUnavailable` if nobody can tell."""
        from waybill.infra.db.migrate import has_tables

        self.check_database()
        return has_tables(self.engine)

    def schema_state(self) -> str:
        """Where the task tables stand, in a few words; `BadSettings` if they are not Waybill's."""
        from waybill.infra.db.migrate import schema_state

        return schema_state(self.engine)

    def check_storage(self) -> timedelta:
        """How far the store's clock is ahead of ours; `ClockSkew` if that is too far."""
        from waybill.infra.db.availability import refuse_skew

        ahead = self.store.check()
        refuse_skew(ahead, "the object store")
        return ahead

    def migrate(self) -> str | None:
        """Create or upgrade the task tables; returns their revision if a newer version made it."""
        from waybill.infra.db.migrate import upgrade

        return upgrade(self.engine)
