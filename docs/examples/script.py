"""A plain script: closes a month, and submits its export in the same transaction.

DATABASE_URL=postgresql+psycopg://localhost/shop python docs/examples/script.py 2026-11
"""

from __future__ import annotations

import os
import sys

import sqlalchemy as sa

import waybill

ROBOT = waybill.Principal("nightly", "acme", frozenset({"finance"}))


def close_month(month: str) -> waybill.SubmittedExport:
    """Both are committed, or neither is."""
    engine = sa.create_engine(os.environ["DATABASE_URL"])
    try:
        with engine.begin() as connection:
            insert = sa.text("INSERT INTO closings (tenant, month) VALUES ('acme', :month)")
            connection.execute(insert, {"month": month})
            return waybill.submit(connection, "closing", params={"month": month}, user=ROBOT)
    finally:
        engine.dispose()


if __name__ == "__main__":
    sys.stdout.write(f"{close_month(sys.argv[1]).id}\n")
