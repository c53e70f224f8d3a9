"""Bodies of the answer that comes before the click."""

from __future__ import annotations

from pydantic import BaseModel, Field

from waybill.infra.estimates.estimator import RowsKnownBy


class BetterFormatBody(BaseModel):
    """A format that would serve better than the one asked for."""

    format: str
    code: str = Field(description="Stable name of the reason.")
    reason: str


class Estimate(BaseModel):
    """What an export would come to. Nothing was stored, and nothing is promised."""

    type: str
    format: str
    rows: int | None = Field(description="Null while nobody knows; then so is what follows it.")
    rows_known_by: RowsKnownBy | None = Field(
        description=(
            "`exact`: counted just now. `planner`: the database's guess, corrected by earlier "
            "exports. `history`: your own last export of the same."
        )
    )
    rows_problem: str | None = Field(
        description="Code of what kept the database from answering, such as `source_unavailable`."
    )
    rows_limit: int = Field(description="An export with more rows than this fails.")
    files: int | None = Field(description="Files in the archive, or 1.")
    sheets: int | None = Field(description="Sheets of the workbook; null if it is not one.")
    bytes: int | None
    seconds: float | None = Field(description="From its start, without the wait in the queue.")
    calibrated: bool = Field(
        description="Bytes and seconds follow your organisation's earlier exports of this kind."
    )
    queue_position: int = Field(description="Exports that wait in the same queue.")
    queue_running: int = Field(description="Exports of that queue that run now.")
    starts_in_seconds: int = Field(description="About how long until a worker is free; 0 is now.")
    better_format: BetterFormatBody | None
