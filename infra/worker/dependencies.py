"""What the attempts of one worker share."""

from __future__ import annotations

from dataclasses import dataclass, field

from waybill.exporter.datasets.dataset import Registry
from waybill.infra.config.settings import Settings
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.exports.key_seal import KeySeal
from waybill.infra.sources import Sources
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler
from waybill.infra.tasks.shard_plans import ShardPlans
from waybill.infra.tasks.shards import TaskShards
from waybill.infra.worker.short_exports import ShortExports
from waybill.infra.worker.snapshot_holders import SnapshotHolders
from waybill.storage.store import ObjectStore


@dataclass(frozen=True, slots=True)
class WorkerDependencies:
    """What the attempts of one worker share: its settings, the datasets, and the stores."""

    settings: Settings
    registry: Registry
    scheduler: FairScheduler
    runs: TaskRuns
    plans: ShardPlans
    shards: TaskShards
    holders: SnapshotHolders
    store: ObjectStore
    sources: Sources
    estimator: Estimator
    #: The id of the installation, which stands in object keys.
    installation: str
    #: Opens the keys of files with a password.
    key_seal: KeySeal
    short_exports: ShortExports = field(default_factory=ShortExports)
