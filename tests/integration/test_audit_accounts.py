"""R41: an installation that had one account gets two, as docs/operations.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ProgrammingError

from tests.support.eventually import wait_for
from tests.support.task_store import ANN, new_task
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import audit_archive, audit_log
from waybill.infra.tasks.audit_archive import AuditArchive
from waybill.infra.tasks.audit_chain import AuditChain
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.worker.audit_archiver import AuditArchiver
from waybill.storage.memory import MemoryStore

LONG_AGO = datetime.now(UTC) - timedelta(days=91)
OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


@pytest.fixture
def account(postgres_url: str) -> Iterator[tuple[str, Engine]]:
    """The name and the engine of an account that makes the tables."""
    name = f"w{uuid4().hex[:12]}"
    with psycopg.connect(_plain(postgres_url), autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        superuser.execute(f"CREATE ROLE {name}_owner")
        superuser.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    url = sa.make_url(postgres_url).set(username=name, password="x")
    engine = create_engine(url.render_as_string(hide_password=False))
    yield name, engine
    engine.dispose()


def _plain(url: str) -> str:
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_r41_the_statements_of_the_handbook_leave_an_account_that_may_only_add(
    postgres_url: str, account: tuple[str, Engine]
) -> None:
    name, engine = account
    upgrade(engine)
    chain, requests = AuditChain(engine), TaskRequests(engine)
    requests.submit(ANN, new_task())
    before = chain.protection()
    [statements] = re.findall(r"```sql\n(REASSIGN.*?)```", OPERATIONS.read_text(), re.DOTALL)

    with psycopg.connect(_plain(postgres_url), autocommit=True) as superuser:
        superuser.execute(statements.replace("waybill", name))

    after = chain.protection()
    assert before is not None
    assert after is not None
    assert (before.may_rewrite, after.may_rewrite, after.missing) == (True, False, [])
    task = requests.submit(ANN, new_task(params={"city": "Rome"})).task
    requests.cancel(ANN, task.id)
    wait_for(chain.extend)
    assert (chain.verify().entries, chain.verify().uncovered) == (3, 0)
    for refused in (
        "UPDATE audit_log SET actor = 'eve'",
        "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_archive",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            write_transaction(engine) as connection,
        ):
            connection.exec_driver_sql(refused)
    with write_transaction(engine) as connection:
        row = {"at": LONG_AGO, "tenant_id": "acme", "actor": "ann", "action": "tested"}
        connection.execute(sa.insert(audit_log), [row] * 3)
    assert wait_for(AuditChain(engine, now=lambda _: LONG_AGO).extend).number == 2
    # Its entries of today are in the first checkpoint: this account cannot delete them.
    store = MemoryStore()
    archiver = AuditArchiver(AuditArchive(engine, keep=timedelta(days=30)), store)
    assert not archiver.archive()
    with write_transaction(engine) as connection:
        for number in (1, 2):
            claim = {"number": number, "at": LONG_AGO, "key": "k", "sha256": "x", "size_bytes": 0}
            connection.execute(sa.insert(audit_archive), claim)
        # A temporary table is not taken for ours.
        connection.exec_driver_sql("CREATE TEMP TABLE audit_checkpoint (number int, last_id int)")
        connection.exec_driver_sql("INSERT INTO audit_checkpoint VALUES (2, 1000000)")
        assert connection.execute(sa.select(sa.func.waybill_prune_audit_log(100))).scalar() == 3
    # What a start does: there is nothing to migrate, so no right to is needed.
    upgrade(engine)
