"""A right that was lost, or a dataset that is gone, between the request and the run."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.stored_keys import stored_keys
from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore


@pytest.mark.parametrize(
    ("dataset", "code"),
    [
        (Dataset("orders", lambda params, user: sa.select(1), roles={"boss"}), "permission_denied"),
        (Dataset("others", lambda params, user: sa.select(1)), "unknown_dataset"),
    ],
    ids=["role", "dataset"],
)
def test_r4_a_right_lost_since_the_request_stops_the_export(engine, dataset, code):
    source = open_source(engine.url.render_as_string(hide_password=False))
    store = MemoryStore()

    task = run_attempt(engine, store, source, dataset, ANN, new_task(params={}))

    assert (task.status, task.error_code) == ("FAILED", code)
    assert (task.predicted_rows, task.object_key) == (None, None)
    assert stored_keys(store) == []
