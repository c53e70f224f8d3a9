"""When to look again, and how long it will take: pure functions of a task's row."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.support.running_task import NOON, RUNNING
from waybill.api.exports.view import body_of, headers_of
from waybill.infra.tasks.states import TaskStatus


@pytest.mark.parametrize(
    ("age_seconds", "wait"),
    [(-5, 2), (0, 2), (1.9, 2), (2, 4), (5.9, 4), (6, 8), (13.9, 8), (14, 15), (29, 15), (9e6, 15)],
)
def test_the_wait_grows_with_the_age_of_a_live_task(age_seconds: float, wait: int) -> None:
    headers = headers_of(RUNNING, NOON + timedelta(seconds=age_seconds))

    assert headers["Retry-After"] == str(wait)


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELLED", "EXPIRED"])
def test_an_ended_task_asks_for_no_further_look(status: str) -> None:
    assert "Retry-After" not in headers_of(replace(RUNNING, status=TaskStatus(status)), NOON)


@pytest.mark.parametrize(
    ("change", "eta"),
    [
        ({}, 30),
        ({"rows_done": 1000}, 0),
        ({"rows_done": 1200}, 0),
        ({"rows_done": 0}, None),
        # It has run for ten seconds.
        ({"rows_done": 0, "predicted_seconds": 25.0}, 15),
        ({"rows_done": 0, "predicted_seconds": 9.0}, None),
        ({"rows_done": 0, "predicted_seconds": 25.0, "attempt": 2}, None),
        # 100 of 1,000 rows in ten seconds: 90 by the pace of late first rows, 18 by the estimate.
        ({"rows_done": 100, "predicted_seconds": 20.0}, 47),
        ({"rows_done": 250, "predicted_seconds": 20.0}, 30),
        ({"rows_total": None}, None),
        ({"started_at": None}, None),
        ({"attempt": 2}, None),
        ({"status": TaskStatus.PENDING}, None),
    ],
)
def test_an_estimate_is_given_only_where_there_is_something_to_go_by(
    change: dict[str, object], eta: int | None
) -> None:
    assert body_of(replace(RUNNING, **change), NOON).progress.eta_seconds == eta


def test_the_same_version_is_the_same_body_whenever_it_is_asked_for() -> None:
    later = NOON + timedelta(hours=1)

    assert body_of(RUNNING, NOON) == body_of(RUNNING, later)
    assert headers_of(RUNNING, NOON)["ETag"] == headers_of(RUNNING, later)["ETag"]


@pytest.mark.parametrize("status", list(TaskStatus))
def test_only_a_task_in_its_queue_says_what_it_waits_for(status: TaskStatus) -> None:
    task = replace(RUNNING, status=status, waiting_for="storage", waiting_since=NOON)

    waiting = body_of(task, NOON).waiting

    assert (waiting is not None) == (status == TaskStatus.PENDING)
    assert waiting is None or (waiting.component, waiting.since) == ("storage", NOON)


def test_a_link_that_dies_changes_body_and_tag_together() -> None:
    done = replace(
        RUNNING,
        status=TaskStatus.SUCCESS,
        download_url="https://store.example/x",
        url_expires_at=NOON + timedelta(minutes=1),
    )
    later = NOON + timedelta(minutes=2)

    def view(now: datetime) -> tuple[str | None, str]:
        body = body_of(done, now, with_link=True)
        return body.download_url, headers_of(done, now, with_link=True)["ETag"]

    assert view(NOON)[0] == "https://store.example/x"
    assert view(later)[0] is None
    assert view(NOON)[1] != view(later)[1]
    # Without the rights there is neither the link nor a tag that says there is one.
    assert body_of(done, NOON).download_url is body_of(done, NOON).url_expires_at is None
    assert headers_of(done, NOON)["ETag"] == view(later)[1]
