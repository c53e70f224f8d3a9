"""What the host does: migrate both, make an invoice with its export, and take one back."""

from __future__ import annotations

import json
import os
import sys

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from infra.models import invoices, notification

import waybill
from waybill.__main__ import main as waybill_command

ANN = waybill.Principal("ann", "acme", frozenset({"finance"}))


def migrate() -> None:
    """Run the host's migrations, Waybill's, and both again."""
    alembic = Config()
    alembic.set_main_option("script_location", "infra/migrations")
    alembic.set_main_option("path_separator", "os")
    for _ in range(2):
        command.upgrade(alembic, "head")
        sys.argv = ["waybill", "migrate"]
        try:
            waybill_command()
        except SystemExit as end:
            if end.code:
                raise
    command.check(alembic)


def main() -> None:
    """Print what came of it."""
    migrate()
    engine = sa.create_engine(os.environ["DATABASE_URL"])
    with engine.connect() as connection:
        connection.execute(sa.insert(invoices), {"company": "lost"})
        lost = waybill.submit(connection, "invoices", user=ANN)
        connection.rollback()
        connection.execute(sa.insert(notification), {"words": "ours"})
        connection.execute(sa.insert(invoices), {"company": "acme"})
        kept = waybill.submit(connection, "invoices", user=ANN)
        connection.commit()
    engine.dispose()
    sys.stdout.write(
        json.dumps({"lost": str(lost.id), "kept": str(kept.id), "waybill": waybill.__file__})
    )


if __name__ == "__main__":
    main()
