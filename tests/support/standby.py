"""A `waybill` process that has loaded its libraries and waits to be told what to be.

Importing them takes most of a second of processor time, and the bench starts some fifty
processes. Waybill's own code is imported only after the order came, with its environment.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

LIBRARIES = (
    "adbc_driver_postgresql.dbapi",
    "aio_pika",
    "alembic.command",
    "boto3",
    "fastapi",
    "isal.isal_zlib",
    "polars",
    "psycopg",
    "pydantic_settings",
    "typer",
    "uvicorn",
    "xlsxwriter",
)


def main() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    order = sys.stdin.readline()
    if not order:
        return
    told = json.loads(order)
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["waybill", *told["arguments"]]
    waybill = importlib.import_module("waybill.api.cli.main")
    waybill.main()


if __name__ == "__main__":
    main()
