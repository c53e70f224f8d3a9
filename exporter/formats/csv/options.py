"""CSV options: how one request wants its CSV written, on top of a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import PROFILES, CsvProfile, Quoting

#: What may stand between two fields: no number, date or boolean has any of these in it, but
#: for the comma where it is the decimal sign.
Delimiter = Literal[",", ";", "\t", "|"]


class CsvOptions(BaseModel):
    """How the CSV of one export is written. What is left out is as the profile has it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"profile": "excel-semicolon"}},
    )

    profile: Literal["excel", "excel-semicolon", "machine"] | None = Field(
        None,
        description="`excel`: comma, point, BOM, CRLF, formula guard. `excel-semicolon`: the same "
        "with semicolon and decimal comma. `machine`: comma, point, LF, no BOM, no guard. "
        "Default: `WAYBILL_CSV_PROFILE`.",
    )
    delimiter: Delimiter | None = Field(None, description="Between two fields.")
    decimal: Literal[".", ","] | None = Field(None, description="Decimal sign of numbers.")
    bom: StrictBool | None = Field(None, description="Begin with a byte order mark.")
    guard: StrictBool | None = Field(
        None, description="Put an apostrophe before text that a spreadsheet would run."
    )
    quoting: Literal["text", "minimal", "all"] | None = Field(
        None, description="Quote all text, only where it is needed, or every value."
    )
    times: Literal["iso", "local"] | None = Field(
        None,
        description="Timestamps of ISO 8601 with their offset, or as spreadsheets read them: "
        "`2024-07-01 10:00:00`, in the export's time zone, which the heading names.",
    )

    def over(self, default: CsvProfile) -> CsvProfile:
        """The profile asked for, or `default`, with these options in place of its own.

        Raises:
            InvalidRequest: a number would read as two fields.
        """
        base = PROFILES[self.profile] if self.profile else default
        asked = {
            "delimiter": self.delimiter,
            "decimal_sign": self.decimal,
            "byte_order_mark": self.bom,
            "guards_formulas": self.guard,
            "quoting": Quoting(self.quoting) if self.quoting else None,
            "local_times": self.times == "local" if self.times else None,
        }
        given = {key: value for key, value in asked.items() if value is not None}
        found = replace(base, **given)  # type: ignore[arg-type]  # of several types
        if found.delimiter == found.decimal_sign:
            wrong, other = ("delimiter", "decimal") if self.delimiter else ("decimal", "delimiter")
            raise InvalidRequest(
                f"Delimiter and decimal sign are both {found.delimiter!r}. Choose another"
                f" {wrong}, or another {other} with it, such as ';'.",
                field=f"csv/{wrong}",
            )
        return found


def options_of(profile: CsvProfile) -> CsvOptions:
    """The options that ask for exactly `profile`, whatever the default is."""
    return CsvOptions(
        profile=profile.name,
        delimiter=profile.delimiter,
        decimal=profile.decimal_sign,
        bom=profile.byte_order_mark,
        guard=profile.guards_formulas,
        quoting=profile.quoting.value,
        # Left out where it says nothing: workers of an older version know no such option.
        times="local" if profile.local_times else None,
    )
