"""Sharding: from which size on several workers write one export together."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool


class Sharding(BaseModel):
    """From which size on an export is written in shards, by all workers that have room.

    Either size is enough. What a request leaves out is as its dataset has it, and what that leaves
    out is as the settings have it. Shards never are smaller than the settings say.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": {"from_rows": 10_000_000}}
    )

    from_rows: int | None = Field(
        None,
        ge=2,
        le=10**12,
        description="Expected rows. Default: `WAYBILL_SHARD_FROM_ROWS`.",
    )
    from_bytes: int | None = Field(
        None,
        ge=1,
        le=1 << 50,
        description="Expected size of the file, in bytes. Default: `WAYBILL_SHARD_FROM_BYTES`.",
    )
    never: StrictBool = Field(False, description="Write the file in one piece at any size.")

    def over(self, default: Sharding) -> Sharding:
        """This, with what it leaves out from `default`; `never` holds wherever it is said."""
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        return Sharding(**{**default.model_dump(), **given, "never": self.never or default.never})
