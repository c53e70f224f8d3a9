"""F89: a migration that would block an installation, or take something from it, is refused."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op

from tests.support.migration_rules import broken_rules
from waybill.infra.db.migrations import versions
from waybill.infra.db.migrations.indexes import build_index

VERSIONS = sorted(path.stem for path in Path(versions.__path__[0]).glob("[0-9]*.py"))


#: What a migration may do in spite of the rules, and why.
EXEMPT = {
    "0009_claim_id": "two columns at once: the second lock is asked for right after the first",
}


@pytest.mark.parametrize("name", VERSIONS)
def test_f89_no_migration_blocks_what_runs_or_takes_anything_away(name: str) -> None:
    migration = import_module(f"{versions.__name__}.{name}")
    broken = broken_rules(migration.upgrade, online=getattr(migration, "online", False))
    assert len(broken) == (name in EXEMPT), broken


def _column(kind: sa.types.TypeEngine[object], **options: object) -> None:
    op.add_column("export_task", sa.Column("new", kind, **options))  # type: ignore[arg-type]


BAD: dict[str, Callable[[], None]] = {
    "an index": lambda: op.create_index("ix", "export_task", ["queue"]),
    "an index beside something else": lambda: (
        _column(sa.Text()),
        build_index("ix", "export_task", ["new"]),
    ),
    "a volatile default": lambda: _column(sa.Uuid(), server_default=sa.text("gen_random_uuid()")),
    "a default of the moment": lambda: _column(sa.DateTime(), server_default=sa.func.now()),
    "a number for each row": lambda: _column(sa.BigInteger(), server_default=sa.Identity()),
    "a column that must be filled": lambda: _column(sa.Text(), nullable=False),
    "a unique column": lambda: op.create_unique_constraint("uq", "export_task", ["queue"]),
    "a check": lambda: op.create_check_constraint("ck", "export_task", "attempt >= 0"),
    "a foreign key": lambda: op.create_foreign_key(
        "fk", "export_task", "export_task", ["parent_id"], ["id"]
    ),
    "a new type": lambda: op.alter_column("export_task", "attempt", type_=sa.BigInteger()),
    "no nulls": lambda: op.alter_column("export_task", "attempt", nullable=False),
    "a column less": lambda: op.drop_column("export_task", "queue"),
    "a table less": lambda: op.drop_table("row_usage"),
    "another name": lambda: op.alter_column("export_task", "queue", new_column_name="lane"),
    "an index less": lambda: op.drop_index("ix_export_task_created", "export_task"),
    "every row": lambda: op.execute("UPDATE export_task SET queue = 'x'"),
    "two tables at once": lambda: (
        _column(sa.Text()),
        op.add_column("audit_log", sa.Column("new", sa.Text())),
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_f89_a_migration_that_would_block_is_refused(kind: str) -> None:
    assert broken_rules(BAD[kind])


def test_what_does_not_wait_for_rows_is_allowed() -> None:
    def upgrade() -> None:
        _column(sa.Boolean(), nullable=False, server_default=sa.false())
        op.create_check_constraint("ck", "export_task", "attempt >= 0", postgresql_not_valid=True)
        op.create_table("new", sa.Column("id", sa.Uuid(), sa.ForeignKey("export_task.id")))
        op.create_index("ix_new", "new", ["id"])

    assert broken_rules(upgrade) == []
    assert broken_rules(lambda: build_index("ix", "export_task", ["queue"]), online=True) == []
