"""Metrics: names by the conventions, one count over processes, and what an attempt records."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

import waybill
from tests.support.running_task import RUNNING
from waybill.api.health.worker_app import worker_app
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.metrics.catalogue import CATALOGUE, Kind, Metric
from waybill.infra.metrics.recording import exposition
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.worker.attempt_figures import AttemptFigures, record_claim

TOKEN = "7f3c1d0a9b8e4f65a2d1c0b3"


def value(text: str, name: str, **labels: str) -> float:
    """The value of a sample, 0 when it is not there."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def recorded(name: str, **labels: str) -> float:
    return value(exposition().decode(), name, **labels)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_a_metric_is_named_by_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"waybill_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(metric.buckets)
    # A tenant or a user would be a series each, and a secret of others.
    assert not set(metric.labels) & {"tenant", "user", "task", "filename", "host"}
    assert metric.help.endswith(".")


def test_processes_that_share_their_recordings_show_the_sum_of_all(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from waybill.infra.metrics import catalogue, recording\n"
        f"recording.share_recordings(Path({str(tmp_path)!r}))\n"
        "recording.count(catalogue.WAKE_UPS, result='confirmed')\n"
        "recording.observe(catalogue.QUEUE_WAIT, 3.0, queue='orders')\n"
        "print(recording.exposition().decode())"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ][-1]

    assert value(shown, "waybill_wake_ups_published_total", result="confirmed") == 2
    assert value(shown, "waybill_queue_wait_seconds_bucket", queue="orders", le="5.0") == 2
    assert value(shown, "waybill_build_info", version=waybill.__version__) == 1


@pytest.mark.parametrize(
    ("status", "outcome", "failures"),
    [
        (TaskStatus.PENDING, "retried", {"true": 1, "false": 0}),
        (TaskStatus.FAILED, "failed", {"true": 0, "false": 1}),
        (TaskStatus.CANCELLED, "cancelled", {"true": 0, "false": 0}),
        (None, "lost", {"true": 0, "false": 0}),
    ],
)
def test_an_attempt_is_recorded_once_with_its_end(
    status: TaskStatus | None, outcome: str, failures: dict[str, int]
) -> None:
    dataset = f"attempt-{outcome}"
    figures = AttemptFigures(replace(RUNNING, task_type=dataset), clock=iter([10.0, 52.0]).__next__)

    figures.failed("source_unavailable", status)
    # The thread of a stalled attempt ends after its task was given to another worker.
    figures.ended("lost")

    duration = "waybill_attempt_duration_seconds"
    assert recorded(f"{duration}_count", dataset=dataset) == 1
    assert recorded(f"{duration}_sum", dataset=dataset, outcome=outcome) == 42
    assert failures == {
        retried: recorded("waybill_attempt_failures_total", dataset=dataset, retried=retried)
        for retried in failures
    }


def test_the_wait_in_the_queue_is_that_of_the_first_attempt() -> None:
    asked = datetime(2026, 11, 29, 12, tzinfo=UTC)
    for attempt in (1, 2):
        record_claim(
            replace(
                RUNNING,
                queue="waits",
                attempt=attempt,
                created_at=asked,
                updated_at=asked + timedelta(seconds=7),
            )
        )

    assert recorded("waybill_queue_wait_seconds_sum", queue="waits") == 7


def test_a_worker_answers_probes_and_those_who_have_the_token(tmp_path: Path) -> None:
    settings = load(home=tmp_path, metrics_token=TOKEN, worker_address="0.0.0.0:9100")
    with TestClient(worker_app(settings)) as client:
        health = client.get("/healthz")
        assert (health.status_code, health.json()["version"]) == (200, waybill.__version__)
        assert client.head("/healthz").status_code == 200
        refused = client.get("/metrics")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        shown = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (shown.status_code, "waybill_build_info" in shown.text) == (200, True)


@pytest.mark.parametrize("address", ["9100", "host", "host:", "host:70000", "u@host:1", "a/b:1"])
def test_an_address_of_workers_is_a_host_and_a_port(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_WORKER_ADDRESS: must be a host and a port"):
        load(home=tmp_path, worker_address=address)
