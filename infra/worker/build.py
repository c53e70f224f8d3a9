"""Builds a worker out of the parts of a process, with what it does beside exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.files.background import BackgroundReconcile
from waybill.infra.notifications.delivery import build_deliverer
from waybill.infra.schedules.build import build_runs, link_tokens
from waybill.infra.tasks.audit_chain import AuditChain
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.workers import Workers
from waybill.infra.worker.audit_archiver import build_archiver
from waybill.infra.worker.schedule_loop import ScheduleLoop
from waybill.infra.worker.service import WorkerService
from waybill.infra.worker.sweeper import Sweeper

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from waybill.infra.broker.port import Broker
    from waybill.infra.files.reconcile import Reconciler
    from waybill.infra.schedules.runs import Prepare
    from waybill.infra.tasks.dead_letters import DeadLetters
    from waybill.infra.worker.dependencies import WorkerDependencies
    from waybill.infra.worker.relay import Relay


def build_worker(
    dependencies: WorkerDependencies,
    broker: Broker,
    relay: Relay,
    *,
    engine: Engine,
    dead_letters: DeadLetters,
    reconciler: Reconciler,
    queues: Sequence[str],
    prepare: Prepare | None = None,
) -> WorkerService:
    """A worker for `queues`, with the sweeper and the deliverer of one process.

    `prepare` checks the exports of schedules; without it, this process runs no schedules.
    """
    settings, store = dependencies.settings, dependencies.store
    maintenance, outages = Maintenance(engine), TaskOutages(engine)
    if isinstance(broker, MemoryBroker):
        # What an earlier process held in memory is gone; the rows say what it was.
        maintenance.republish_overdue(after=timedelta(0))
    sweeper = Sweeper(
        maintenance,
        store,
        lease=settings.lease,
        retry_in=settings.retry_delays[0],
        outages=outages,
        give_up_after=settings.give_up_after,
        pruning=Pruning(
            engine,
            keep_tasks=settings.task_retention,
            keep_notices=settings.notification_retention,
        ),
        audit_chain=AuditChain(engine),
        audit_archiver=build_archiver(settings, engine, store),
        reconcile=BackgroundReconcile(reconciler, retention=settings.retention),
    )
    return WorkerService(
        dependencies,
        broker,
        relay,
        sweeper,
        build_deliverer(settings, engine, link_tokens(settings, engine).path),
        dead_letters,
        queues=queues,
        outages=outages,
        workers=Workers(engine),
        schedules=ScheduleLoop(build_runs(settings, engine, prepare), submitted=relay.wake)
        if prepare
        else None,
    )
