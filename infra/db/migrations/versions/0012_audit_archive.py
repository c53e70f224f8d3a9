"""Archived parts of the audit log: what is stored as a file, and is old, may be deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0012"
down_revision = "0011"

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: The last entry that is archived.
_LAST_ID = """
    SELECT last_id FROM audit_checkpoint
    WHERE number = (SELECT max(number) FROM audit_archive)
"""
#: An entry says itself how old it is; a checkpoint could be made up.
_REFUSE = f"""
    CREATE OR REPLACE FUNCTION waybill_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_log' THEN
            IF OLD.at < clock_timestamp() - interval '30 days' AND OLD.id <= ({_LAST_ID}) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$
"""
_REFUSE_ALL = """
    CREATE OR REPLACE FUNCTION waybill_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""
_ONLY_THE_NEXT = """
    CREATE FUNCTION waybill_check_archive() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.number = 1 + coalesce((SELECT max(number) FROM audit_archive), 0)
            AND EXISTS (SELECT 1 FROM audit_checkpoint WHERE number = NEW.number)
        THEN RETURN NEW; END IF;
        RAISE EXCEPTION 'audit_archive takes the next checkpoint only';
    END $$
"""
#: With the rights of the owner, since nobody else may delete an entry.
_PRUNE = f"""
    CREATE FUNCTION waybill_prune_audit_log(most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS
    $$ DECLARE pruned bigint; BEGIN
        WITH old AS MATERIALIZED (
            SELECT id FROM audit_log
            WHERE id <= ({_LAST_ID}) AND at < clock_timestamp() - interval '30 days'
            ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED
        )
        DELETE FROM audit_log WHERE id IN (SELECT id FROM old);
        GET DIAGNOSTICS pruned = ROW_COUNT;
        RETURN pruned;
    END $$
"""  # noqa: S608 - constants
#: So that no temporary table of a caller is taken for one of these.
_FIX_SEARCH_PATH = """
    DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['waybill_refuse()', 'waybill_check_archive()',
            'waybill_prune_audit_log(integer)']
        LOOP
            EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_catalog, pg_temp',
                name, current_schema());
        END LOOP;
    END $$
"""
#: Default privileges may give an account more than an archive allows; the owner keeps everything.
_REVOKE = """
    DO $$ DECLARE account text; BEGIN
        FOR account IN
            SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = 'audit_archive'::regclass AND a.grantee <> c.relowner
        LOOP
            EXECUTE 'REVOKE UPDATE, DELETE, TRUNCATE ON audit_archive FROM ' || account;
        END LOOP;
    END $$
"""
_SQLITE_REFUSE = "CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{message}'); END"
_APPEND_ONLY = "{} is append-only"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "audit_archive",
        sa.Column("number", _IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_archive"),
    )
    if op.get_context().dialect.name == "postgresql":
        for statement in (_REFUSE, _ONLY_THE_NEXT, _PRUNE, _FIX_SEARCH_PATH, _REVOKE):
            op.execute(statement)
        for event, scope, function in (
            ("UPDATE", "ROW", "waybill_refuse"),
            ("DELETE", "ROW", "waybill_refuse"),
            ("TRUNCATE", "STATEMENT", "waybill_refuse"),
            ("INSERT", "ROW", "waybill_check_archive"),
        ):
            name = (
                "audit_archive_next" if event == "INSERT" else f"audit_archive_no_{event.lower()}"
            )
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON audit_archive"
                f" FOR EACH {scope} EXECUTE FUNCTION {function}()"
            )
        return
    for event in ("UPDATE", "DELETE"):
        _refuse_on_sqlite(f"audit_archive_no_{event.lower()}", f"{event} ON audit_archive")
    # REPLACE deletes the old row without firing triggers.
    _refuse_on_sqlite(
        "audit_archive_no_replace",
        "INSERT ON audit_archive"
        " WHEN EXISTS (SELECT 1 FROM audit_archive WHERE number = NEW.number)",
    )
    _refuse_on_sqlite(
        "audit_archive_next",
        "INSERT ON audit_archive WHEN NEW.number <> 1 + coalesce((SELECT max(number)"
        " FROM audit_archive), 0)"
        " OR NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE number = NEW.number)",
        "audit_archive takes the next checkpoint only",
    )
    op.execute("DROP TRIGGER audit_log_no_delete")
    _refuse_on_sqlite(
        "audit_log_no_delete",
        "DELETE ON audit_log WHEN NOT coalesce("
        f"OLD.at < strftime('%Y-%m-%d %H:%M:%S', 'now', '-30 days') AND OLD.id <= ({_LAST_ID}), 0)",
        _APPEND_ONLY.format("audit_log"),
    )


def downgrade() -> None:
    """Undo the change. Entries that were deleted are in the archive's files only."""
    op.drop_table("audit_archive")
    if op.get_context().dialect.name == "postgresql":
        op.execute(_REFUSE_ALL)
        op.execute("DROP FUNCTION waybill_prune_audit_log(integer)")
        op.execute("DROP FUNCTION waybill_check_archive()")
        return
    op.execute("DROP TRIGGER audit_log_no_delete")
    _refuse_on_sqlite(
        "audit_log_no_delete", "DELETE ON audit_log", _APPEND_ONLY.format("audit_log")
    )


def _refuse_on_sqlite(
    name: str, event: str, message: str = _APPEND_ONLY.format("audit_archive")
) -> None:
    op.execute(_SQLITE_REFUSE.format(name=name, event=event, message=message))
