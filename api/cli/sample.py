"""`waybill sample`: fill the sample shop into the database of the rows."""

from __future__ import annotations

from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit
from waybill.api.cli.progress import progress_bar
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.sample.fill import ORDERS, fill_sample, sample_size


def sample(
    orders: Annotated[
        int, typer.Option(min=1, max=50_000_000, help="Orders in the shop.")
    ] = ORDERS,
    as_json: JsonFlag = False,
) -> None:
    """Fill the sample shop into the source database. Deterministic and idempotent."""
    with Stack(load()) as stack:
        stack.check_rows_database()
        with progress_bar("Filling the sample shop", orders) as bar:
            written = fill_sample(stack.rows_engine, orders, bar.advance)
        total = sample_size(stack.rows_engine)
    emit(
        {"orders": total, "written": written},
        f"The sample shop holds {total:,} orders ({written:,} written now).",
        as_json=as_json,
    )
