"""Response body of the health checks."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Health(BaseModel):
    """`failures` maps each dependency that is not ready to the reason."""

    status: str
    failures: dict[str, str] = Field(default_factory=dict)
