"""`make shards-torture`: workers of exports in shards die, freeze and lose their broker, by seed.

Each file is compared byte by byte with that of an export that nobody disturbed, and the auditor
looks at everything after each seed. Ends with 1 when a byte differs or the auditor finds anything.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.servers import Servers, private_servers
from tests.soak.shards.faults import FAULTS, plan_of
from tests.soak.shards.files import likeness, likeness_of_set
from tests.soak.shards.workers import PATIENCE_SECONDS, Export, Workers
from tests.support.eventually import wait_for
from tests.support.fault_bench import TASKS, Bench, open_bench
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.small_pages import OF_A_SHARD
from tests.support.wide_exports import ROWS, Orders, make_table, settings_of
from waybill.infra.tasks.file_sets import files_of_set, is_set
from waybill.infra.tasks.tree_digest import is_tree_digest
from waybill.storage.config import S3Config
from waybill.storage.errors import EmbeddedServerError

#: By what the table calls them: the format, and how many rows. A sheet is written in one piece.
FILES = {
    "xlsx, one sheet": ("xlsx", OF_A_SHARD),
    "xlsx, six sheets": ("xlsx", ROWS),
    **{name: (name, ROWS) for name in ("csv.gz", "jsonl.gz", "csv.zip", "xlsx.zip", "parquet")},
}
#: Of rows that may change, and of rows that stay.
DATASETS = ("wide", "kept")


@dataclass
class Result:
    """What happened to the files of one kind."""

    seeds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    begun_again: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


@dataclass
class Torture:
    """One installation whose exports are disturbed."""

    bench: Bench
    workers: Workers
    orders: Orders
    #: The undisturbed files, by kind, dataset, and whether they were written in shards. Archives
    #: state their dataset.
    undisturbed: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    asked: int = 0

    def submit(self, kind: str, tag: str, dataset: str, *, whole: bool = False) -> str:
        """Ask for one file; the id of its task."""
        chosen, rows = FILES[kind]
        body = {
            "type": dataset,
            "format": chosen,
            "params": {"rows": rows, "tag": tag},
            "sharding": {"never": whole},
        }
        answer = self.bench.client.post(TASKS, json=body)
        assert answer.is_success, answer.text
        task_id: str = answer.json()["id"]
        self.bench.accepted.append(task_id)
        return task_id

    def read(self, task_id: str, kind: str) -> tuple[str, bool]:
        """The likeness of a finished file, and whether it was written in shards."""
        row = self.bench.row(task_id)
        assert row["status"] == "SUCCESS", dict(row)
        key = row["object_key"]
        if is_set(key):
            with self.bench.engine.connect() as connection:
                keys = [file.key for file in files_of_set(connection, key)]
            return likeness_of_set(self._bytes(key), map(self._bytes, keys)), True
        return likeness(FILES[kind][0], self._bytes(key)), is_tree_digest(row["sha256"])

    def _bytes(self, key: str) -> bytes:
        return b"".join(self.bench.store.pieces(key))

    def write_undisturbed(self, kind: str) -> None:
        """The files to compare with: in shards, and in one piece."""
        for dataset, whole in product(DATASETS, (False, True)):
            task_id = self.submit(kind, f"undisturbed {kind} {whole}", dataset, whole=whole)
            self.bench.ended(task_id, seconds=PATIENCE_SECONDS)
            digest, in_shards = self.read(task_id, kind)
            assert in_shards is not (whole or kind == "xlsx, one sheet")
            self.undisturbed[kind, dataset, in_shards] = digest
        self.bench.audit()
        self.bench.clear()

    def disturb(self, kind: str, seed: int, result: Result) -> None:
        """One seed."""
        chance = random.Random(f"{seed} {kind}")  # noqa: S311 - to repeat a failure
        tag = f"{self.asked}"
        self.asked += 1
        plan = plan_of(seed, chance)
        for name in plan:
            if (order := FAULTS[name].order) is not None:
                self.orders.give(tag, *order(chance))
        dataset = chance.choice(DATASETS)
        export = Export(self.bench, self.workers, self.submit(kind, tag, dataset), chance)
        for name in plan:
            if (act := FAULTS[name].act) is not None:
                act(export)
        row = export.end()
        unreached = self.workers.kill_armed()
        note(result, export, self.workers, unreached)
        said = f"seed {seed}, {kind}, {dataset}: {', '.join(plan)}"
        if row["status"] != "SUCCESS":
            result.findings.append(f"{said}: {row['status']} {row['error_code']}")
        else:
            digest, in_shards = self.read(export.task_id, kind)
            if digest != self.undisturbed[kind, dataset, in_shards]:
                result.mismatches.append(f"{said}: {export.task_id}")
        result.findings += [f"{said}: {finding}" for finding in self.findings()]
        self.bench.clear()

    def findings(self) -> Iterator[str]:
        """What the auditor says, once workers have let go of snapshots."""
        try:
            wait_for(lambda: not self.bench.idle_in_transaction(), PATIENCE_SECONDS)
            self.bench.audit()
        except AssertionError as error:
            yield str(error)


def note(result: Result, export: Export, workers: Workers, unreached: int) -> None:
    """Count what was done, and what came of it."""
    result.seeds += 1
    result.kills.update(export.done)
    result.kills.update(workers.died_at)
    if unreached:
        result.kills["not reached"] += unreached
    if by_itself := workers.died_at.pop("by itself", 0):
        result.findings.append(f"{by_itself} workers died by themselves")
    workers.died_at.clear()
    details = export.bench.details
    result.resumed += len(details(export.task_id, "resume"))
    again = [said["why"] for said in details(export.task_id, "start_over")]
    lost = export.bench.actions(export.task_id).count("attempt_failed")
    before_plan = lost - len(again) - len(details(export.task_id, "resume"))
    result.begun_again.update(again)
    if before_plan > 0:
        result.begun_again["nothing on record"] += before_plan


def started_servers(stack: ExitStack, tries: int = 10) -> Servers:
    """PostgreSQL and SeaweedFS; on a busy machine these give up too soon."""
    for left in reversed(range(tries)):
        with suppress(*((EmbeddedServerError, RuntimeError) if left else ())):
            return stack.enter_context(private_servers())
    raise AssertionError


@contextmanager
def open_servers() -> Iterator[tuple[Servers, str]]:
    """PostgreSQL, SeaweedFS and RabbitMQ, which has the URL."""
    with ExitStack() as stack:
        broker = RabbitServer(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(broker.close)
        # The slowest to start: the others start meanwhile.
        broker.launch()
        servers = started_servers(stack)
        broker.wait_until_ready(PATIENCE_SECONDS)
        yield servers, broker.url()


@contextmanager
def open_torture(
    database: str, amqp: str, s3: S3Config, workers: int, lease_seconds: float
) -> Iterator[Torture]:
    """An installation on an empty database, and its workers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        orders = Orders(folder / "orders")
        orders.folder.mkdir()
        settings = settings_of(orders) | {
            "WAYBILL_LEASE_SECONDS": str(lease_seconds),
            "WAYBILL_MAX_ATTEMPTS": "100",
            "WAYBILL_MAX_SUBMITS_PER_MINUTE": "100000",
            "WAYBILL_MAX_SUBMITS_PER_MINUTE_PER_TENANT": "100000",
        }
        bench = stack.enter_context(open_bench(folder, database, amqp, s3, **settings))
        make_table(bench.engine)
        stack.enter_context(bench.api(seconds=PATIENCE_SECONDS))
        running = Workers(bench, workers, {}, orders)
        stack.callback(running.close)
        yield Torture(bench, running, orders)


def table_of(results: dict[str, Result]) -> Table:
    """All results, a line for each kind of file."""
    table = Table("file", "seeds", "kills by kind", "resumed", "begun again", "mismatches")
    for kind, result in results.items():
        kills = "\n".join(f"{count} {name}" for name, count in sorted(result.kills.items()))
        again = "\n".join(f"{count} {why}" for why, count in sorted(result.begun_again.items()))
        counts = (str(result.seeds), kills, str(result.resumed), again or "0")
        table.add_row(kind, *counts, str(len(result.mismatches)), end_section=True)
    return table


def run(torture: Torture, files: Sequence[str], seeds: Sequence[int], console: Console) -> int:
    """Disturb exports, and say what came of it; 0 when all is well."""
    results = {kind: Result() for kind in files}
    for kind in files:
        torture.write_undisturbed(kind)
    # All kinds with each seed, so that a run that is broken off has seen all of them.
    for seed in seeds:
        began = time.monotonic()
        for kind, result in results.items():
            torture.disturb(kind, seed, result)
        wrong = sum(len(result.mismatches) + len(result.findings) for result in results.values())
        console.print(f"seed {seed}: {time.monotonic() - began:.0f} s, {wrong} findings so far")
    console.print(table_of(results))
    found = [each for result in results.values() for each in result.mismatches + result.findings]
    for finding in found:
        console.print(finding)
    if found:
        kept = Path(tempfile.mkdtemp(prefix="waybill-shards-")) / "waybill.log"
        shutil.copy(torture.bench.log, kept)
        console.print(f"the log is kept in {kept}")
    return 1 if found else 0


def main() -> int:
    """Start everything, and disturb exports."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--lease-seconds", type=float, default=5)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with (
        open_servers() as (servers, amqp),
        servers.postgres.database() as database,
        open_torture(
            database, amqp, S3Config(**servers.s3), options.workers, options.lease_seconds
        ) as torture,
    ):
        return run(torture, options.files, seeds, Console(width=120))


if __name__ == "__main__":
    sys.exit(main())
