"""The audit log says where from, refuses TRUNCATE and REPLACE, and gets a chain of hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0006"
down_revision = "0005"

_NEW_COLUMNS = ("request_id", "address")
_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_REFUSE = """
    CREATE OR REPLACE FUNCTION waybill_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{}'{}; END $$
"""
#: Default privileges may give an account more than a log allows; the owner keeps everything.
_REVOKE = """
    DO $$ DECLARE account text; BEGIN
        FOR account IN
            SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = '{table}'::regclass AND a.grantee <> c.relowner
        LOOP
            EXECUTE 'REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM ' || account;
        END LOOP;
    END $$
"""


def upgrade() -> None:
    """Apply the change."""
    for name in _NEW_COLUMNS:
        op.add_column("audit_log", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", _IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_checkpoint"),
    )
    postgres = op.get_context().dialect.name == "postgresql"
    if postgres:
        op.execute(_REFUSE.format("% is append-only", ", TG_TABLE_NAME"))
    for table, key in (("audit_log", "id"), ("audit_checkpoint", "number")):
        # The log has the first two since 0001.
        for refused in ("UPDATE", "DELETE") if table != "audit_log" else ():
            op.execute(_row_trigger(table, refused, postgres=postgres))
        if postgres:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION waybill_refuse()"
            )
            op.execute(_REVOKE.format(table=table))
        else:
            # REPLACE deletes the old row without firing triggers.
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"  # noqa: S608 - constants
                f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
                f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def downgrade() -> None:
    """Undo the change. The rights that were revoked stay revoked."""
    op.drop_table("audit_checkpoint")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_log_no_truncate ON audit_log")
        op.execute(_REFUSE.format("audit_log is append-only", ""))
    else:
        op.execute("DROP TRIGGER audit_log_no_replace")
    for name in _NEW_COLUMNS:
        op.drop_column("audit_log", name)


def _row_trigger(table: str, refused: str, *, postgres: bool) -> str:
    name = f"{table}_no_{refused.lower()}"
    if postgres:
        return (
            f"CREATE TRIGGER {name} BEFORE {refused} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION waybill_refuse()"
        )
    return (
        f"CREATE TRIGGER {name} BEFORE {refused} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
