"""What the API is given: the task store, the object store, and who may ask for what.

The composition root of each process builds one of these; nothing else connects to anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.datasets import Registry
from infra.forecasts import Forecasts
from infra.notices.rules import NotifyRules
from infra.settings import Settings
from infra.tasks.changes import TaskChanges
from infra.tasks.dead_letters import DeadLetters
from infra.tasks.history import TaskHistory
from infra.tasks.links import ShareLinks
from infra.tasks.notices import Notices
from infra.tasks.oversight import Oversight
from infra.tasks.refusals import Refusals
from infra.tasks.requests import TaskRequests
from storage.store import ObjectStore


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
    notices: Notices
    notify_rules: NotifyRules
    history: TaskHistory
    forecasts: Forecasts
    store: ObjectStore
    #: Tell a relay in this process that the outbox has something new. Thread-safe, cheap.
    nudge: Callable[[], None]
    #: What `/readyz` asks, by name; each returns, or raises with one line that says why.
    checks: Mapping[str, Callable[[], None]]
    #: Set when this process is about to end: what would go on for ever ends at once.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
