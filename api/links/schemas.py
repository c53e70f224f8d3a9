"""Request and response bodies of share links."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.http.timestamps import Timestamp

_MAX_USES = 1_000_000


class LinkRequest(BaseModel):
    """Limits of a link. Without any, it is valid as long as the file exists."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"expires_at": "2026-03-02T18:00:00Z", "max_uses": 3}},
    )

    expires_at: Timestamp | None = Field(None, description="Not later than the expiry of the file.")
    max_uses: Annotated[int, Field(strict=True, ge=1, le=_MAX_USES)] | None = None


class LinkBody(BaseModel):
    """A share link, without its token."""

    id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime | None = Field(
        description="The expiry of the file if the link has none of its own."
    )
    max_uses: int | None
    uses: int
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewLinkBody(LinkBody):
    """A new share link. The token is returned only here; Waybill stores a hash of it."""

    url: str = Field(description="Relative if no public address of the API is configured.")
    token: str


class LinkList(BaseModel):
    """The share links of one task, newest first, including revoked ones."""

    items: list[LinkBody]
