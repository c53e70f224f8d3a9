"""Whose fault an error is, and what it costs the task: by the class of the error alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from waybill.exporter.errors import IncompleteExport, LimitExceeded, PermissionDenied
from waybill.faults import Fault
from waybill.infra.sources.errors import (
    ReadConflict,
    SourceAway,
    SourceRejected,
    SourceUnavailable,
    by_sqlstate,
    connecting,
)
from waybill.infra.worker.failures import classify_error
from waybill.storage.errors import (
    ChecksumMismatch,
    ClockRejected,
    InvalidFilename,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
    UploadTooLarge,
)

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (2, 8, 30, 120))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (StorageUnavailable(), Fault.STORAGE),
        (StorageRejected(), Fault.STORAGE),
        (ClockRejected(), Fault.STORAGE),
        (SourceAway(), Fault.SOURCE),
        (LimitExceeded(), Fault.TASK),
        (PermissionDenied(), Fault.TASK),
        (SourceRejected(), Fault.TASK),
        (UploadTooLarge(), Fault.TASK),
        (InvalidFilename(), Fault.TASK),
        # The network may be at fault, and so may this one file or this one query.
        (SourceUnavailable(), Fault.UNKNOWN),
        (ReadConflict(), Fault.UNKNOWN),
        (ChecksumMismatch(), Fault.UNKNOWN),
        (UploadConflict(), Fault.UNKNOWN),
        (StorageError(), Fault.UNKNOWN),
        (IncompleteExport(), Fault.UNKNOWN),
        (sa.exc.OperationalError("", {}, Exception()), Fault.UNKNOWN),
        (MemoryError(), Fault.UNKNOWN),
        (RuntimeError(), Fault.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_class_of_an_error_says_whose_fault_it_is(error, fault):
    assert classify_error(error).fault is fault


def test_only_a_fault_of_a_part_is_one_of_the_installation():
    assert {fault for fault in Fault if fault.of_installation} == {Fault.STORAGE, Fault.SOURCE}


@pytest.mark.parametrize("state", [None, "28P01", "3D000", "53300", "57P01", "57P03"])
def test_what_fails_while_connecting_is_no_fault_of_a_query(state):
    assert by_sqlstate(state).fault is Fault.UNKNOWN
    with pytest.raises(SourceAway), connecting():
        raise by_sqlstate(state)


def test_a_query_that_is_refused_stays_refused():
    with pytest.raises(SourceRejected), connecting():
        raise by_sqlstate("42P01")


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RuntimeError(), [2, 8]),
        # TORTURE2 2d: three attempts within 12 s, and the standby was busy for a minute.
        (by_sqlstate("40001"), [30, 120]),
        (LimitExceeded(), [None, None]),
    ],
    ids=["quick", "conflict on a standby", "the task's own"],
)
def test_a_conflict_on_a_standby_is_given_minutes(error, seconds):
    decision = classify_error(error)
    delays = [decision.delay(DELAYS, attempt, 3) for attempt in (1, 2)]
    assert [delay and delay.total_seconds() for delay in delays] == seconds


def test_further_attempts_than_delays_repeat_the_last_one():
    for error in (RuntimeError(), ReadConflict()):
        assert classify_error(error).delay(DELAYS, 9, 12) == DELAYS[-1]


def test_after_running_out_of_memory_a_task_runs_alone():
    assert classify_error(MemoryError()).run_alone
