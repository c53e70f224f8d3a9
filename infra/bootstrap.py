"""The composition root: builds the parts of a process from its settings, and ends them.

Nothing else in Waybill connects to anything. What is wrong with a database, a bucket or a
dataset shows here, at start, as one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.dataset import Registry
from waybill.exporter.errors import WaybillError
from waybill.exporter.formats.csv.profiles import PROFILES
from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.broker.port import Broker
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import AWS, EMBEDDED, Settings
from waybill.infra.db.engine import create_engine, read_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.timed_count import timed_counters
from waybill.infra.exports.dataset_loader import load_datasets
from waybill.infra.exports.single_flight_key import flight_keys
from waybill.infra.links.share_links import ShareLinks
from waybill.infra.notifications.delivery import Deliverer, build_senders
from waybill.infra.notifications.queries import NotificationQueries
from waybill.infra.notifications.queue import NotificationQueue
from waybill.infra.notifications.rules import NotificationRules
from waybill.infra.services import Services
from waybill.infra.sources import Sources, open_sources
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.maintenance import Upkeep
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.outbox import Outbox
from waybill.infra.tasks.queries.admin import Oversight
from waybill.infra.tasks.queries.changes import TaskChanges
from waybill.infra.tasks.refusals import Refusals
from waybill.infra.worker.attempt import WorkerDoors
from waybill.infra.worker.relay import Relay
from waybill.infra.worker.service import WorkerService
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.config import S3Config
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.s3 import S3Store
from waybill.storage.store import ObjectStore


class DatabaseUnavailable(WaybillError):
    """The task database cannot be reached."""

    code = "database_unavailable"


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything a process of Waybill needs, connected and ready."""

    settings: Settings
    registry: Registry
    engine: Engine
    store: ObjectStore
    sources: Sources

    def services(
        self, nudge: Callable[[], None] = lambda: None, stopping: asyncio.Event | None = None
    ) -> Services:
        """What the API gets."""
        return Services(
            settings=self.settings,
            registry=self.registry,
            requests=TaskRequests(self.engine, limits=self.settings),
            changes=TaskChanges(self.engine),
            oversight=Oversight(self.engine),
            dead_letters=DeadLetters(self.engine),
            links=ShareLinks(self.engine),
            refusals=Refusals(self.engine),
            notifications=NotificationQueries(self.engine),
            notification_rules=NotificationRules(self.settings),
            history=TaskHistory(self.engine),
            estimator=self.estimator(),
            store=self.store,
            nudge=nudge,
            checks={"database": self.check_database, "storage": self.check_storage},
            stopping=stopping or asyncio.Event(),
        )

    def estimator(self) -> Estimator:
        """What tells how large exports will be."""
        return Estimator(TaskHistory(self.engine), timed_counters(self.sources))

    def check_database(self) -> None:
        """Raise `DatabaseUnavailable` unless the task database answers."""
        check_database(self.engine)

    def check_storage(self) -> None:
        """Raise a `StorageError` unless the bucket answers."""
        self.store.check()

    def relay(self, broker: Broker) -> Relay:
        """A relay between this stack's outbox and `broker`."""
        return Relay(Outbox(self.engine), broker)

    def worker(self, broker: Broker, relay: Relay, queues: tuple[str, ...] = ()) -> WorkerService:
        """A worker for `queues`, or for all queues of the registry."""
        settings = self.settings
        upkeep = Upkeep(self.engine)
        if isinstance(broker, MemoryBroker):
            # What an earlier process held in memory is gone; the rows say what it was.
            upkeep.nudge_forgotten(after=timedelta(0))
        doors = WorkerDoors(
            runs=TaskRuns(self.engine, settings.lease, limits=settings),
            store=self.store,
            sources=self.sources,
            registry=self.registry,
            estimator=self.estimator(),
            lease=settings.lease,
            stall=settings.stall,
            retention=settings.retention,
            link_ttl=settings.link_ttl,
            retry_ladder=settings.retry_delays,
            timezone=settings.timezone,
            csv_profile=PROFILES[settings.csv_profile],
            flights=flight_keys(settings),
            max_rows=settings.max_rows_per_export,
        )
        sweeper = Sweeper(
            upkeep,
            self.store,
            lease=settings.lease,
            retry_in=settings.retry_delays[0],
            keep_notices=settings.notification_retention,
        )
        deliverer = Deliverer(
            NotificationQueue(self.engine, settings.notify_retry_delays), build_senders(settings)
        )
        return WorkerService(
            doors,
            broker,
            relay,
            sweeper,
            deliverer,
            DeadLetters(self.engine),
            queues=queues or self.registry.queues,
            concurrency=settings.concurrency,
            grace=settings.shutdown_grace,
        )

    def broker(self) -> Broker:
        """The broker of the settings. It connects when it is first used."""
        if self.settings.amqp_url is None:
            return MemoryBroker()
        return RabbitBroker(
            self.settings.amqp_url.get_secret_value(),
            self.registry.queues,
            delays=self.settings.retry_delays,
        )


@contextmanager
def open_stack(settings: Settings, *, migrate: bool = True) -> Iterator[Stack]:
    """Connect everything, bring the tables and the bucket up to date, and end it all later.

    Raises:
        BadSettings, DatabaseUnavailable, StorageError: with one line that says what is wrong.
    """
    registry = load_datasets(settings.datasets)
    engine = create_engine(settings.task_database_url)
    try:
        check_database(engine)
        if migrate:
            upgrade(engine)
        with object_store(settings) as store:
            store.ensure_bucket(retention_days=settings.retention.days)
            sources = open_sources(settings.rows_database_url, settings.task_database_url)
            yield Stack(settings, registry, engine, store, sources)
    finally:
        engine.dispose()


@contextmanager
def object_store(settings: Settings, *, bucket: str | None = None) -> Iterator[ObjectStore]:
    """The object store of the settings; starts the embedded server when that is asked for."""
    name = bucket or settings.s3_bucket
    with ExitStack() as stack:
        if settings.s3_endpoint_url == EMBEDDED:
            config = stack.enter_context(EmbeddedS3(settings.home, bucket=name))
        else:
            config = _s3_config(settings, name)
        yield stack.enter_context(closing(S3Store(config)))


def _s3_config(settings: Settings, bucket: str) -> S3Config:
    secret = settings.s3_secret_access_key
    try:
        return S3Config(
            endpoint_url=None if settings.s3_endpoint_url == AWS else settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            bucket=bucket,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
        )
    except ValueError as error:
        raise BadSettings(f"WAYBILL_S3_…: {error}.") from None


def check_database(engine: Engine) -> None:
    """Raise `DatabaseUnavailable` unless `engine` answers."""
    try:
        with read_transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        raise DatabaseUnavailable() from error
