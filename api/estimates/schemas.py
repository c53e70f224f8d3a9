"""Response bodies of estimates."""

from __future__ import annotations

from pydantic import BaseModel, Field

from waybill.infra.estimates.estimator import RowsKnownBy


class BetterFormatBody(BaseModel):
    """A format that suits the export better than the requested one."""

    format: str
    code: str = Field(description="Stable name of the reason.")
    reason: str


class Estimate(BaseModel):
    """The estimated figures of an export. Nothing is stored."""

    type: str
    format: str
    rows: int | None = Field(
        description="Null when it is unknown. Size, files and duration are then null as well."
    )
    rows_known_by: RowsKnownBy | None = Field(
        description=(
            "`exact`: counted just now. `planner`: the database's estimate, corrected by past "
            "exports. `history`: your own last export with the same parameters."
        )
    )
    rows_problem: str | None = Field(
        description="Code of why the database gave no number, such as `source_unavailable`."
    )
    rows_limit: int = Field(description="An export with more rows fails.")
    files: int | None = Field(description="Number of files in the archive, or 1.")
    sheets: int | None = Field(
        description="Number of sheets; null if the format is not a workbook."
    )
    bytes: int | None
    seconds: float | None = Field(
        description="Duration of the export, without the wait in the queue."
    )
    calibrated: bool = Field(
        description="Bytes and seconds come from past exports of your organisation."
    )
    queue_position: int = Field(description="Exports waiting in the same queue.")
    queue_running: int = Field(description="Exports of that queue running now.")
    queue_workers: int = Field(
        description="Workers that take exports of that queue. With 0, no export of it starts until "
        "an operator starts a worker."
    )
    starts_in_seconds: int = Field(
        description="Estimated time until a worker is free; 0 means now. Assumes one worker where "
        "there is none."
    )
    better_format: BetterFormatBody | None
