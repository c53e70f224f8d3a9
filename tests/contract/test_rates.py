"""How fast one user and one tenant may make tasks: token buckets, on both databases."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, BOB, LEASE, Worker, finished, new_task
from tests.support.token_buckets import pass_time, use_up
from waybill.exporter.datasets.principal import Principal
from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.tables import audit_log, export_task, metadata
from waybill.infra.db.token_buckets import Bucket, Rate, bucket_key, take_token
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.lifecycle.quotas import TooManyExports, TooManySubmits
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import SingleFlight, Task
from waybill.infra.tasks.queries.scope import ALL_TENANTS

ELSEWHERE = Principal("ann", "other")
HOUR = timedelta(hours=1)


def requests_of(engine: Engine, **limits: int) -> TaskRequests:
    return TaskRequests(engine, Limits.only(**limits))


def make(store: TaskRequests, user: Principal, *numbers: int) -> list[Task]:
    return [store.submit(user, new_task(params={"n": n, "u": user.user})).task for n in numbers]


def contents(engine: Engine) -> dict[str, list[object]]:
    with read_transaction(engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in metadata.sorted_tables
        }


def test_r40_submit_and_cancel_in_a_loop_ends_at_the_rate(engine):
    store = requests_of(engine, max_submits_per_minute=3, max_queued_per_user=1)
    for n in range(3):
        (task,) = make(store, ANN, n)
        store.cancel(ANN, task.id)
        store.delete(ANN, task.id)
    with pytest.raises(TooManySubmits) as refused:
        make(store, ANN, 3)
    assert timedelta(0) < refused.value.retry_after <= timedelta(seconds=20)
    make(store, BOB, 0)
    make(store, ELSEWHERE, 0)


def test_r40_users_of_one_tenant_share_its_rate(engine):
    store = requests_of(engine, max_submits_per_minute_per_tenant=3)
    make(store, ANN, 0, 1)
    make(store, BOB, 0)
    for user in (ANN, BOB):
        with pytest.raises(TooManySubmits, match="organisation"):
            make(store, user, 9)
    make(store, ELSEWHERE, 0)


@pytest.mark.parametrize("limit", ["max_submits_per_minute", "max_submits_per_minute_per_tenant"])
def test_r40_the_time_that_a_refusal_states_is_the_time_until_one_more_is_accepted(engine, limit):
    store = requests_of(engine, **{limit: 7})
    make(store, ANN, *range(7))
    for n in range(7, 9):
        with pytest.raises(TooManySubmits) as refused:
            make(store, ANN, n)
        pass_time(engine, refused.value.retry_after)
        make(store, ANN, n)


def test_r40_a_refused_request_changes_nothing(engine):
    store = requests_of(engine, max_submits_per_minute=1)
    make(store, ANN, 0)
    before = contents(engine)
    for _ in range(3):
        with pytest.raises(TooManySubmits):
            make(store, ANN, 1)
    assert contents(engine) == before


def test_r40_what_needs_no_new_task_is_answered_and_costs_nothing(engine):
    store = requests_of(engine, max_submits_per_minute=2)
    (twin,) = make(store, ANN, 0)
    for _ in range(3):
        assert make(store, ANN, 0) == [twin]
    keyed = store.submit(ANN, new_task(idempotency_key="once")).task
    for _ in range(3):
        assert store.submit(ANN, new_task(idempotency_key="once")).task.id == keyed.id
    with pytest.raises(TooManySubmits):
        make(store, ANN, 1)


def test_r40_a_shared_run_and_a_reused_file_are_tasks_as_well(engine):
    store = requests_of(engine, max_submits_per_minute=1)
    flight = SingleFlight("k", timedelta(days=1))
    leader = store.submit(ANN, new_task(single_flight=flight)).task
    assert store.submit(BOB, new_task(single_flight=flight)).task.joined_id == leader.id
    runs = Worker(engine, LEASE)
    claim = runs.claim(leader.id, "w")
    runs.reserve_object(claim, "k")
    runs.finish(claim, finished("k", flight_key="k"))
    other = new_task(single_flight=flight, filename="b", asked_filename="b")
    for user in (ANN, BOB):
        with pytest.raises(TooManySubmits):
            store.submit(user, other)
    cid = Principal("cid", ANN.tenant)
    assert store.submit(cid, other).task.status == "SUCCESS"
    with pytest.raises(TooManySubmits):
        store.submit(cid, new_task(single_flight=flight, filename="c", asked_filename="c"))


def test_r40_retries_count_and_a_repeated_retry_leaves_no_trace(engine):
    store = requests_of(engine, max_submits_per_minute=2)
    (task,) = make(store, ANN, 0)
    store.cancel(ANN, task.id)
    again = store.retry(ANN, task.id, max_attempts=1).task
    before = contents(engine)
    assert store.retry(ANN, task.id, max_attempts=1).task.id == again.id
    assert contents(engine) == before
    store.cancel(ANN, again.id)
    with pytest.raises(TooManySubmits):
        store.retry(ANN, task.id, max_attempts=1)


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        ({"max_submits_per_minute": 2}, TooManySubmits),
        ({"max_submits_per_minute_per_tenant": 2}, TooManySubmits),
        ({"max_queued_per_user": 1}, TooManyExports),
        ({"max_queued_per_tenant": 1}, TooManyExports),
    ],
)
def test_r49_a_replay_counts_against_the_quotas_and_rates_of_the_owner(engine, limits, refusal):
    store = requests_of(engine, **limits)
    (task,) = make(store, ANN, 0)
    runs = Worker(engine, LEASE)
    runs.fail(runs.claim(task.id, "w"), code="x", message="y", retry_in=None)
    letters = DeadLetters(engine, Limits.only(**limits))
    letters.record(WakeUp(task.id, 2, "dead").encode(), "orders", "x: y")
    (letter,) = letters.list(ALL_TENANTS)
    make(store, ANN, 1)
    before = contents(engine)
    with pytest.raises(refusal):
        letters.replay(ALL_TENANTS, letter.id, Actor.command_line("operator"))
    assert contents(engine) == before
    assert letters.get(ALL_TENANTS, letter.id).replayed_at is None


def _ask_often(url: str, process: int) -> int:
    """Submits of one process, by two users of one tenant in three threads; how many made a task."""
    engine = create_engine(url)
    store = requests_of(engine, max_submits_per_minute=20, max_submits_per_minute_per_tenant=30)

    def ask(thread: int) -> int:
        made = 0
        for n in range(12):
            user = (ANN, BOB)[n % 2]
            try:
                store.submit(user, new_task(params={"n": [process, thread, n]}))
                made += 1
            except TooManySubmits:
                pass
        return made

    with ThreadPoolExecutor(3) as threads:
        made = sum(threads.map(ask, range(3)))
    engine.dispose()
    return made


@pytest.mark.slow
def test_r40_processes_together_pass_no_bucket(engine):
    """72 requests, and a bucket of 30 for the tenant that gets one more token in two seconds."""
    url = engine.url.render_as_string(hide_password=False)
    began = datetime.now(UTC)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes:
        made = sum(processes.map(_ask_often, [url] * 2, range(2)))
    refilled = int((datetime.now(UTC) - began) / timedelta(seconds=2)) + 1
    with read_transaction(engine) as connection:
        stored = connection.execute(sa.select(sa.func.count()).select_from(export_task)).scalar()
        audited = connection.execute(sa.select(sa.func.count()).select_from(audit_log)).scalar()
        users = connection.execute(
            sa.select(export_task.c.created_by, sa.func.count()).group_by(export_task.c.created_by)
        ).all()
    assert made == stored == audited
    assert 30 <= made <= 30 + refilled
    assert all(count <= 20 + refilled for _, count in users)


def take(engine: Engine, bucket: Bucket) -> timedelta | None:
    with write_transaction(engine) as connection:
        return take_token(connection, bucket)


@pytest.mark.parametrize("limit", [1, 3, 7, 999_999])
def test_an_empty_bucket_gets_its_tokens_back_one_by_one_and_no_more_than_it_holds(engine, limit):
    bucket = Bucket(bucket_key("test", "x"), Rate(limit, HOUR))
    use_up(engine, bucket)
    if limit < 10:
        wait = take(engine, bucket)
        assert wait is not None
        assert HOUR / limit - timedelta(seconds=10) < wait <= HOUR / limit
        pass_time(engine, wait)
        assert take(engine, bucket) is None
    pass_time(engine, timedelta(days=365))
    took = [take(engine, bucket) for _ in range(min(limit, 7))]
    assert took == [None] * len(took)
    if limit < 10:
        assert take(engine, bucket) is not None


def test_no_limit_takes_no_row(engine):
    assert take(engine, Bucket("test", Rate(0))) is None
    make(requests_of(engine), ANN, 0)
    assert contents(engine)["token_bucket"] == []


def test_a_clock_that_was_put_back_does_not_keep_a_bucket_empty(engine):
    bucket = Bucket(bucket_key("test", "x"), Rate(2, HOUR))
    take(engine, bucket)
    pass_time(engine, -timedelta(days=30))
    assert take(engine, bucket) is None
    assert take(engine, bucket) is None
    assert take(engine, bucket) is not None
    # By less than a bucket: the stated time stays true.
    pass_time(engine, -HOUR / 2)
    wait = take(engine, bucket)
    assert wait is not None
    pass_time(engine, wait)
    assert take(engine, bucket) is None


def test_full_buckets_are_deleted_and_others_are_kept(engine):
    store = requests_of(engine, max_submits_per_minute=5)
    for number in range(30):
        make(store, Principal(f"user-{number}", "acme"), 0)
    pass_time(engine, timedelta(minutes=1))
    make(store, ANN, 0)
    assert Pruning(engine).prune_token_buckets() == 30
    assert len(contents(engine)["token_bucket"]) == 1
