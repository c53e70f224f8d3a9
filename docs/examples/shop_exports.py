"""The datasets of the examples: WAYBILL_DATASETS=docs/examples/shop_exports.py."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import BaseModel

from waybill import Principal, dataset

closings = sa.table("closings", sa.column("id"), sa.column("tenant"), sa.column("month"))


class ClosingParams(BaseModel):
    """Which closing."""

    month: str


@dataset("closing", params=ClosingParams, queue="shop", roles={"finance"})
def closing(params: ClosingParams, user: Principal) -> sa.Select:
    """The closings of the caller's company for a month."""
    mine = closings.c.tenant == user.tenant
    return sa.select(closings).where(mine, closings.c.month == params.month)
