"""The store of share links: one secret shown once, uses counted once each, nothing remembered."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, BOB, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import share_link
from waybill.infra.links.share_links import MAX_LINKS, LinkNotFound, ShareLinks, TooManyLinks
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import TaskNotFound
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS

STRANGER = Principal("ann", "umbrella", ANN.roles)


@pytest.fixture
def links(engine: Engine) -> ShareLinks:
    return ShareLinks(engine)


@pytest.fixture
def task_id(engine: Engine) -> UUID:
    """A finished task of ANN's, whose file lives for a week."""
    task = TaskRequests(engine).submit(ANN, new_task()).task
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "worker")
    assert claim
    assert runs.finish(claim, finished("exports/1/2/3.xlsx"))
    return task.id


def test_only_a_hash_of_a_long_token_is_stored(engine: Engine, links: ShareLinks, task_id: UUID):
    link, token = links.create(ANN, task_id, max_uses=3)

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(share_link)).mappings().one()
    assert token not in repr(dict(row))
    assert link.id == row["id"]
    assert re.fullmatch(r"[0-9a-f]{64}", row["token_hash"])


def test_a_link_leads_colleagues_to_the_task_and_says_who_shares_it(
    links: ShareLinks, task_id: UUID
):
    _, token = links.create(ANN, task_id)

    shared = links.find(BOB, token)

    assert (shared.task.id, shared.sharer) == (task_id, ANN)


def test_uses_are_counted_and_end_with_the_last_one(links: ShareLinks, task_id: UUID):
    _, token = links.create(ANN, task_id, max_uses=2)
    for use in (1, 2):
        links.use(BOB, links.find(BOB, token))
        assert links.of_task(ANN, task_id)[0].uses == use

    with pytest.raises(LinkNotFound):
        links.find(BOB, token)


def test_of_fifty_clicks_at_once_exactly_three_are_uses(links: ShareLinks, task_id: UUID):
    _, token = links.create(ANN, task_id, max_uses=3)
    shared = links.find(BOB, token)

    def click(_: int) -> bool:
        try:
            links.use(BOB, shared)
        except LinkNotFound:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(click, range(50))) == 3
    assert links.of_task(ANN, task_id)[0].uses == 3


def test_a_revoked_link_is_dead_at_once_also_for_who_found_it_before(
    links: ShareLinks, task_id: UUID
):
    link, token = links.create(ANN, task_id)
    shared = links.find(BOB, token)

    for _ in range(2):
        links.revoke(ANN, task_id, link.id)

    with pytest.raises(LinkNotFound):
        links.find(BOB, token)
    with pytest.raises(LinkNotFound):
        links.use(BOB, shared)
    assert links.of_task(ANN, task_id)[0].revoked_at is not None


def test_a_link_ends_by_the_databases_clock(engine: Engine, links: ShareLinks, task_id: UUID):
    _, token = links.create(ANN, task_id, expires_at=datetime.now(UTC) + timedelta(hours=1))
    shared = links.find(BOB, token)
    with write_transaction(engine) as connection:
        over = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(sa.update(share_link).values(expires_at=over))

    with pytest.raises(LinkNotFound):
        links.find(BOB, token)
    with pytest.raises(LinkNotFound):
        links.use(BOB, shared)


@pytest.mark.parametrize("days", [-1, 8])
def test_a_link_cannot_be_over_already_nor_outlive_its_file(
    links: ShareLinks, task_id: UUID, days: int
):
    with pytest.raises(InvalidRequest, match="expires_at"):
        links.create(ANN, task_id, expires_at=datetime.now(UTC) + timedelta(days=days))
    assert links.of_task(ANN, task_id) == []


@pytest.mark.parametrize("other", [STRANGER, BOB])
def test_r1_a_task_of_somebody_else_has_no_links_to_make_see_or_revoke(
    links: ShareLinks, task_id: UUID, other: Principal
):
    link, _ = links.create(ANN, task_id)
    for attempt in (
        lambda: links.create(other, task_id),
        lambda: links.of_task(other, task_id),
        lambda: links.revoke(other, task_id, link.id),
    ):
        with pytest.raises(TaskNotFound):
            attempt()
    assert links.of_task(ANN, task_id) == [link]


def test_a_link_of_another_task_is_not_revoked_through_this_one(
    engine: Engine, links: ShareLinks, task_id: UUID
):
    other = TaskRequests(engine).submit(ANN, new_task(params={"city": "Rome"})).task
    link, _ = links.create(ANN, other.id)

    for link_id in (link.id, uuid4()):
        with pytest.raises(LinkNotFound):
            links.revoke(ANN, task_id, link_id)
    assert links.of_task(ANN, other.id)[0].revoked_at is None


def test_another_tenant_finds_nothing_and_the_error_says_so_to_the_audit_log_alone(
    links: ShareLinks, task_id: UUID
):
    _, token = links.create(ANN, task_id)

    with pytest.raises(LinkNotFound) as foreign:
        links.find(STRANGER, token)
    with pytest.raises(LinkNotFound) as unknown:
        links.find(STRANGER, "x" * 43)

    assert foreign.value.message == unknown.value.message
    assert (foreign.value.task_id, unknown.value.task_id) == (task_id, None)


def test_a_sharer_has_the_roles_they_last_acted_with(
    engine: Engine, links: ShareLinks, task_id: UUID
):
    _, token = links.create(ANN, task_id)
    moved = replace(ANN, roles=frozenset({"support"}))

    TaskRequests(engine).submit(moved, new_task(params={"city": "Oslo"}))
    assert links.find(BOB, token).sharer.roles == {"support"}

    links.create(ANN, task_id)
    assert links.find(BOB, token).sharer.roles == {"sales"}


def test_a_deleted_task_takes_its_links_along(engine: Engine, links: ShareLinks, task_id: UUID):
    _, token = links.create(ANN, task_id)

    TaskRequests(engine).delete(ANN, task_id)

    with pytest.raises(LinkNotFound):
        links.find(BOB, token)
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(share_link)).all() == []


def test_a_task_has_a_bounded_number_of_links(links: ShareLinks, task_id: UUID):
    for _ in range(MAX_LINKS):
        links.create(ANN, task_id)
    with pytest.raises(TooManyLinks):
        links.create(ANN, task_id)


def test_sharing_following_and_revoking_are_audited_without_the_token(
    engine: Engine, links: ShareLinks, task_id: UUID
):
    link, token = links.create(ANN, task_id, max_uses=3)
    links.use(BOB, links.find(BOB, token))
    links.revoke(ANN, task_id, link.id)

    entries = AdminQueries(engine).audit(ALL_TENANTS, task_id=task_id)

    done = [(item.actor, item.action) for item in reversed(entries)][-3:]
    assert done == [("ann", "share"), ("bob", "follow_link"), ("ann", "revoke_link")]
    assert all((item.detail or {}).get("link") == str(link.id) for item in entries[:3])
    assert token not in repr(entries)
