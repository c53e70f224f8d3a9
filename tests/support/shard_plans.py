"""A plan of three shards, for tests of what tasks record of them."""

from __future__ import annotations

from datetime import UTC, datetime

from waybill.exporter.shards.plan import KeyRange, Shard, ShardPlan, Snapshot
from waybill.infra.tasks.shards import PartNumbers, SharedFile, WrittenShard

FILE = SharedFile("key", "upload", 8 << 20, 10, {"widths": [8.5]}, "mark")
DONE = WrittenShard([{"number": 1}], {"rows": 10})
PLAN = ShardPlan(
    Snapshot("0-1", datetime(2026, 3, 1, tzinfo=UTC), 30, {"types": [2, None, True]}),
    [
        Shard(0, 10, KeyRange(None, "11")),
        Shard(1, 10, KeyRange("11", "21")),
        Shard(2, 10, KeyRange("21", None)),
    ],
)
NUMBERS = [PartNumbers(1, 5), PartNumbers(6, 5), PartNumbers(11, 5)]
