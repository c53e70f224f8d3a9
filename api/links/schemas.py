"""Request and response bodies of share links."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.http.timestamps import Timestamp
from waybill.infra.config.value_types import MAX_MAIL_ADDRESS_CHARS

_MAX_USES = 1_000_000


class LinkRequest(BaseModel):
    """Limits of a link. Without any, it is valid as long as the file exists."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"expires_at": "2026-03-02T18:00:00Z", "max_uses": 3}},
    )

    expires_at: Timestamp | None = Field(None, description="Not later than the expiry of the file.")
    max_uses: Annotated[int, Field(strict=True, ge=1, le=_MAX_USES)] | None = None
    email: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_MAIL_ADDRESS_CHARS,
        description="Mail the link to this address: the caller's own, or one in a domain that the "
        "operator allows. Who logs in with it finds the file among those shared with them.",
    )


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
    recipient: str | None = Field(description="The address that it was mailed to.")


class NewLinkBody(LinkBody):
    """A new share link. The token is returned only here; Waybill stores a hash of it."""

    url: str = Field(description="Relative if no public address of the API is configured.")
    token: str


class LinkList(BaseModel):
    """The share links of one task, newest first, including revoked ones."""

    items: list[LinkBody]


class SharedFileBody(BaseModel):
    """A file whose link was mailed to the caller."""

    id: UUID = Field(description="Id of the link.")
    filename: str
    type: str
    format: str
    rows: int | None
    size_bytes: int | None
    shared_by: str = Field(description="The user who shares it.")
    shared_at: datetime = Field(description="When it was shared.")
    expires_at: datetime | None = Field(description="When the link ends, or else the file.")
    url: str = Field(description="Where it is downloaded; each click counts as a use.")


class SharedFileList(BaseModel):
    """Files that colleagues have shared with the caller by mail, newest first."""

    items: list[SharedFileBody]
