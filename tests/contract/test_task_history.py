"""What estimates are made from, on both databases: the past of one tenant, and a queue's load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import OrderParams
from tests.support.task_store import ANN, BOB, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.ports import RowCount
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.estimates.estimator import Estimator, RowsKnownBy
from waybill.infra.estimates.history import QueueLoad, TaskHistory
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceUnavailable
from waybill.infra.sources.names import ROWS
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Claim, Predicted

STRANGER = Principal("ann", "other-tenant", ANN.roles)
WITHIN = timedelta(seconds=1)


class FixedCounter:
    """A counter with fixed answers."""

    def __init__(self, *counts: RowCount | Exception) -> None:
        self._counts = list(counts)

    def count(self, query: Any, *, within: timedelta) -> RowCount:
        count = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        if isinstance(count, Exception):
            raise count
        return count


ORDERS = Dataset("orders", lambda params, user: sa.select(sa.literal(1).label("n")), OrderParams)


def begin(engine, user: Principal = ANN, **change: Any) -> Claim:
    runs = Worker(engine, LEASE)
    task = TaskRequests(engine).submit(user, new_task(**change)).task
    claim = runs.claim(task.id, "worker")
    assert claim is not None
    return claim


def finish(engine, user: Principal = ANN, *, rows: int, size: int, **change: Any) -> None:
    """A finished export of `rows` rows and `size` bytes that took ten seconds."""
    planned = change.pop("planned", None)
    claim = begin(engine, user, **change)
    assert Worker(engine, LEASE).finish(claim, finished(f"key-{claim.task.id}"))
    now = datetime.now(UTC)
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == claim.task.id)
            .values(
                rows_written=rows,
                size_bytes=size,
                planned_rows=planned,
                started_at=now - timedelta(seconds=10),
                finished_at=now,
            )
        )


def estimate(engine, counter: Any, user: Principal = ANN, chosen: str = "csv", **params: Any):
    estimator = Estimator(TaskHistory(engine), {ROWS: counter})
    parsed = ORDERS.parse(params)
    query, values = ORDERS.query(parsed, user), parsed.model_dump(mode="json")
    return estimator.estimate(user, ORDERS, [query], values, chosen, WITHIN)


def test_bytes_and_seconds_follow_the_past_of_the_same_kind(engine):
    for rows in (1_000, 2_000, 3_000):
        finish(engine, rows=rows, size=rows * 50, format="csv", params={"city": str(rows)})
    # Neither another format nor an export without rows says anything.
    finish(engine, rows=1_000, size=9_000_000, format="xlsx")
    finish(engine, rows=0, size=500, format="csv", params={"city": "Nowhere"})

    found = estimate(engine, FixedCounter(RowCount(counted=10_000)))

    assert found.rows_known_by is RowsKnownBy.EXACT
    assert found.size_bytes == pytest.approx(500_000, rel=0.01)
    assert found.seconds == pytest.approx(10_000 / 2_000 * 10, rel=0.05)


def test_one_stray_export_changes_little(engine):
    for city in range(4):
        finish(engine, rows=1_000, size=50_000, format="csv", params={"city": str(city)})
    finish(engine, rows=1_000, size=50_000_000, format="csv", params={"city": "stray"})

    assert estimate(engine, FixedCounter(RowCount(1_000))).size_bytes == pytest.approx(
        50_000, rel=0.01
    )


def test_a_past_of_another_tenant_is_nobodys_past(engine):
    fresh = estimate(engine, FixedCounter(RowCount(1_000), SourceUnavailable()), STRANGER)
    for city in range(5):
        finish(engine, rows=1_000, size=777_000, format="csv", params={"city": str(city)})

    assert estimate(engine, FixedCounter(RowCount(1_000)), STRANGER) == fresh
    assert estimate(engine, FixedCounter(RowCount(1_000)), ANN) != fresh


def test_the_rows_of_last_time_are_told_to_whoever_exported_them_only(engine):
    wanted = {"city": "Berlin", "status": None, "at_least": 0}
    finish(engine, rows=321, size=5_000, format="parquet", params=wanted)

    away = FixedCounter(SourceUnavailable())
    mine = estimate(engine, away, ANN, city="Berlin")
    assert (mine.rows, mine.rows_known_by, mine.rows_problem) == (
        321, RowsKnownBy.HISTORY, "source_unavailable"
    )  # fmt: skip
    for other in (
        estimate(engine, away, BOB, city="Berlin"),
        estimate(engine, away, STRANGER, city="Berlin"),
        estimate(engine, away, ANN, city="Oslo"),
    ):
        assert (other.rows, other.rows_known_by, other.size_bytes, other.seconds) == (None,) * 4
        assert other.rows_problem == "source_unavailable"


def test_a_count_that_came_too_late_says_so(engine):
    assert estimate(engine, FixedCounter(RowCount())).rows_problem == "count_too_slow"


def test_the_planner_is_corrected_by_how_it_erred_with_the_same_parameters(engine):
    guess = FixedCounter(RowCount(estimated=100))
    for city in range(3):
        wanted = {"city": f"city {city}", "status": None, "at_least": 0}
        assert estimate(engine, guess, city="Oslo").rows == 100
        finish(engine, rows=400, size=4_000, format="csv", params=wanted, planned=100)

    corrected = estimate(engine, guess, city="Oslo")

    assert (corrected.rows, corrected.rows_known_by) == (400, RowsKnownBy.PLANNER)
    assert corrected.planner_rows == 100
    assert estimate(engine, guess, status="paid").rows == 100


def test_an_estimate_is_recorded_by_whoever_holds_the_claim(engine):
    claim = begin(engine)
    runs = Worker(engine, LEASE)
    runs.record_estimate(claim, Predicted(planned_rows=90, rows=12, size_bytes=140, seconds=0.4))
    runs.release(claim)
    runs.record_estimate(claim, Predicted(planned_rows=None, rows=99, size_bytes=900, seconds=2.0))

    task = TaskRequests(engine).get(ANN, claim.task.id)
    assert (task.predicted_rows, task.predicted_bytes) == (12, 140)
    assert task.predicted_seconds == pytest.approx(0.4)


def test_the_load_of_a_queue_counts_what_waits_and_what_runs(engine):
    history = TaskHistory(engine)
    assert history.queue_load("orders") == QueueLoad(0, 0)
    for city in "abc":
        TaskRequests(engine).submit(ANN, new_task(params={"city": city}))
    begin(engine, BOB)
    runs = Worker(engine, LEASE)
    later = begin(engine, BOB, params={"city": "later"})
    runs.fail(later, code="x", message="x", retry_in=timedelta(hours=1))

    assert history.queue_load("orders") == QueueLoad(waiting=3, running=1, workers=1)
    assert history.queue_load("users") == QueueLoad(0, 0)


def test_the_history_is_read_from_its_index(engine):
    statement = sa.select(export_task.c.rows_written).where(
        export_task.c.tenant_id == "acme",
        export_task.c.task_type == "orders",
        export_task.c.format == "csv",
        export_task.c.rows_written.is_not(None),
    ).order_by(export_task.c.finished_at.desc()).limit(20)  # fmt: skip
    explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    text = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
    with write_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(explain + text).all()
    assert "ix_export_task_history" in str(plan)


def test_an_estimate_from_a_real_source_is_the_count_of_its_rows(engine):
    three = sa.union_all(*(sa.select(sa.literal(n).label("n")) for n in range(3))).subquery()
    dataset = Dataset("three", lambda params, user: sa.select(three), OrderParams)
    source = open_source(engine.url.render_as_string(hide_password=False))
    estimator = Estimator(TaskHistory(engine), {ROWS: source})

    query = dataset.query(OrderParams(), ANN)
    found = estimator.estimate(ANN, dataset, [query], {}, "xlsx", WITHIN)

    assert (found.rows, found.rows_known_by, found.columns) == (3, RowsKnownBy.EXACT, 1)
