"""The host's datasets."""

from __future__ import annotations

import sqlalchemy as sa
from infra.models import invoices
from pydantic import BaseModel

from waybill import Principal, dataset


class Nothing(BaseModel):
    """No parameters."""


@dataset("invoices", params=Nothing, queue="invoices", roles={"finance"})
def export_invoices(params: Nothing, user: Principal) -> sa.Select:
    """The invoices of the caller's company."""
    return sa.select(invoices).where(invoices.c.company == user.tenant)
