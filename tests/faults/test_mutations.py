"""The guards are what the tests test: with a guard taken out, a named test turns red.

Each case takes one guard out of the running code, and runs a test that passes with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aio_pika
import pytest
from sqlalchemy.engine import Engine

from tests.support import fault_lab as lab
from tests.support.eventually import eventually
from tests.support.guarded import (
    admin_sees_own_tenant_only,
    claim_waits_for_its_database,
    ended_session_is_over,
    foreign_tenants_operate_nothing,
    lost_claim_writes_nothing,
    lost_role_sees_no_link,
    missing_confirm_is_an_error,
    only_confirms_mark,
    unroutable_is_an_error,
    zombie_writes_nothing,
)
from tests.support.servers.task_api import running_api
from tests.support.task_tables import DATABASES, task_tables
from waybill.api.exports import downloads
from waybill.infra.broker.rabbitmq import publisher
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.db.tables import export_task
from waybill.infra.sessions.denylist import Denylist
from waybill.infra.tasks.lifecycle import runs
from waybill.infra.tasks.queries.scope import Scope
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.worker.claims import Claims
from waybill.infra.worker.relay import Relay

#: What a failing test raises: an assertion, or pytest's own "did not raise".
RED = (AssertionError, pytest.fail.Exception)


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with task_tables(request, tmp_path) as engine:
        yield engine


@pytest.fixture
def without_fence(monkeypatch):
    t = export_task.c
    monkeypatch.setattr(
        runs, "held", lambda claim: (t.id == claim.task.id, t.status == TaskStatus.PROCESSING)
    )


def test_without_the_fence_a_zombie_writes(without_fence, engine):
    with pytest.raises(RED):
        zombie_writes_nothing(engine)


def test_f94_without_the_id_of_a_claim_a_lost_one_writes(engine, monkeypatch):
    held = runs.held
    monkeypatch.setattr(
        runs,
        "held",
        lambda claim: [c for c in held(claim) if c.left is not export_task.c.claim_id],
    )
    with pytest.raises(RED):
        lost_claim_writes_nothing(engine)


def open_channels_with(monkeypatch, **options: Any) -> None:
    """Open every channel with other options than the code asks for, and take any answer."""
    channel = aio_pika.Connection.channel
    monkeypatch.setattr(
        aio_pika.Connection, "channel", lambda self, **asked: channel(self, **(asked | options))
    )
    monkeypatch.setattr(publisher, "spec", SimpleNamespace(Basic=SimpleNamespace(Ack=object)))


@pytest.fixture
def without_confirms(monkeypatch):
    open_channels_with(monkeypatch, publisher_confirms=False, on_return_raises=False)


async def test_without_confirms_a_message_is_lost_unnoticed(without_confirms, broker, proxy):
    with pytest.raises(RED):
        await missing_confirm_is_an_error(broker, proxy)


@pytest.fixture
def without_returns(monkeypatch):
    open_channels_with(monkeypatch, on_return_raises=False)


async def test_without_on_return_raises_an_unroutable_message_is_lost_unnoticed(
    without_returns, broker, rabbitmq_url
):
    with pytest.raises(RED):
        await unroutable_is_an_error(broker, rabbitmq_url)


async def test_a_relay_that_marks_what_nobody_confirmed_is_noticed(sqlite_engine, monkeypatch):
    publish = Relay._publish

    async def hopeful(self, item):
        await publish(self, item)
        return True

    monkeypatch.setattr(Relay, "_publish", hopeful)
    with pytest.raises(RED):
        await only_confirms_mark(sqlite_engine)


async def test_a_claim_that_does_not_wait_for_its_database_is_noticed(
    outage_lab, database_proxy, monkeypatch
):
    async def impatient(self, queue, hint):
        return await asyncio.to_thread(self._scheduler.claim_next, queue, self._worker)

    monkeypatch.setattr(Claims, "_claim_when_possible", impatient)
    # The task is lost for long; no need to wait for all of it.
    monkeypatch.setattr(lab, "eventually", partial(eventually, within_seconds=4))
    with pytest.raises(RED):
        await claim_waits_for_its_database(outage_lab, database_proxy, monkeypatch)


def test_r35_a_scope_that_limits_nothing_is_noticed(engine, monkeypatch):
    admin_sees_own_tenant_only(engine)
    monkeypatch.setattr(Scope, "limits", lambda self, column: [])
    with pytest.raises(RED):
        admin_sees_own_tenant_only(engine)


def test_r34_a_link_that_is_shown_without_asking_again_is_noticed(tmp_path, monkeypatch):
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        lost_role_sees_no_link(api)
        monkeypatch.setattr(downloads, "authorise_again", lambda *_: None)
        with pytest.raises(RED):
            lost_role_sees_no_link(api)


def test_r35_a_verifier_that_keeps_every_role_is_noticed(tmp_path, monkeypatch):
    settings = {"operator_tenants": "ops"}
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, **settings) as api:
        foreign_tenants_operate_nothing(api)
        monkeypatch.setattr(AdminRoles, "may_operate", lambda self, tenant: True)
        with pytest.raises(RED):
            foreign_tenants_operate_nothing(api)


def test_r51_a_denylist_that_nobody_asks_is_noticed(tmp_path, monkeypatch):
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        ended_session_is_over(api)
        monkeypatch.setattr(Denylist, "denies", lambda self, token: False)
        with pytest.raises(RED):
            ended_session_is_over(api)
