"""R41: what `waybill doctor` says of the audit log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from waybill.api.cli.doctor.audit_log import check_audit_log
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.audit_chain import AuditChain, AuditLogChanged


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    with Stack(load(home=tmp_path)) as stack:
        yield stack


def test_before_the_first_migration_there_is_nothing_to_say(stack: Stack):
    assert check_audit_log(stack) == "not made yet"


def test_r41_doctor_verifies_the_log_and_names_a_missing_trigger(stack: Stack):
    stack.migrate()
    with write_transaction(stack.engine) as connection:
        task = {"id": None, "tenant_id": "acme", "fence": None}
        audit(connection, database_now(connection), "tested", task, actor=Actor.command_line("ann"))
    assert AuditChain(stack.engine).extend() is not None

    assert check_audit_log(stack) == (
        "1 entries of 1 checkpoints are unchanged; who may write the file may rewrite it;"
        " it grows for ever: set WAYBILL_AUDIT_DAYS"
    )
    with write_transaction(stack.engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_log_no_replace")
    with pytest.raises(AuditLogChanged, match=r"missing or disabled: audit_log_no_replace\.$"):
        check_audit_log(stack)
