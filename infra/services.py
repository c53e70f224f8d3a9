"""What the API is given: the task store, the object store, and who may ask for what.

The composition root of each process builds one of these; nothing else connects to anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from waybill.exporter.datasets.dataset import Registry
from waybill.infra.config.settings import Settings
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.links.share_links import ShareLinks
from waybill.infra.notifications.queries import NotificationQueries
from waybill.infra.notifications.rules import NotificationRules
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries.admin import Oversight
from waybill.infra.tasks.queries.changes import TaskChanges
from waybill.infra.tasks.refusals import Refusals
from waybill.storage.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Services:
    """The API's doors to the outside."""

    settings: Settings
    registry: Registry
    requests: TaskRequests
    changes: TaskChanges
    oversight: Oversight
    dead_letters: DeadLetters
    links: ShareLinks
    refusals: Refusals
    notifications: NotificationQueries
    notification_rules: NotificationRules
    history: TaskHistory
    estimator: Estimator
    store: ObjectStore
    #: Tell a relay in this process that the outbox has something new. Thread-safe, cheap.
    nudge: Callable[[], None]
    #: What `/readyz` asks, by name; each returns, or raises with one line that says why.
    checks: Mapping[str, Callable[[], None]]
    #: Set when this process is about to end: what would go on for ever ends at once.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
