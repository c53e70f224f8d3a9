"""Response bodies of the health checks."""

from __future__ import annotations

from pydantic import BaseModel, Field

import waybill


class Health(BaseModel):
    """`failures` maps each dependency that is not ready to the reason."""

    status: str
    failures: dict[str, str] = Field(default_factory=dict)


class Liveness(BaseModel):
    """A process that answers."""

    status: str = "ok"
    version: str = waybill.__version__
    failures: dict[str, str] = Field(default_factory=dict)
