"""Whether the database protects the audit log: its triggers, and what this account may do."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.schema import qualified
from waybill.infra.db.table_prefix import prefixed

_TABLES = ("audit_log", "audit_checkpoint", "audit_archive")
_REFUSED = {
    "postgresql": ("update", "delete", "truncate"),
    "sqlite": ("update", "delete", "replace"),
}

_POSTGRES_TRIGGERS = sa.text(
    "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND tgrelid IN"
    " (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)"
)
_SQLITE_TRIGGERS = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
#: An owner may disable triggers, and a superuser owns everything.
_POSTGRES_RIGHTS = sa.text(
    "SELECT bool_or(pg_has_role(current_user, relowner, 'USAGE')"
    " OR has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE')) FROM pg_class"
    " WHERE oid IN (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)"
)


@dataclass(frozen=True, slots=True)
class Protection:
    """The triggers that are missing or disabled, and whether this account may rewrite entries."""

    missing: list[str]
    may_rewrite: bool


def protection_of(connection: Connection) -> Protection:
    """How the audit log of this database is protected. SQLite knows no accounts."""
    dialect = connection.dialect.name
    postgres = dialect == "postgresql"
    tables = {"tables": [qualified(connection, table) for table in _TABLES]} if postgres else {}
    triggers = _POSTGRES_TRIGGERS if postgres else _SQLITE_TRIGGERS
    found = set(connection.execute(triggers, tables).scalars())
    wanted = [f"{table}_no_{refused}" for table in _TABLES for refused in _REFUSED[dialect]]
    wanted.append("audit_archive_next")
    wanted = [prefixed(connection, name) for name in wanted]
    may_rewrite = not postgres or bool(connection.execute(_POSTGRES_RIGHTS, tables).scalar())
    return Protection([name for name in wanted if name not in found], may_rewrite)
