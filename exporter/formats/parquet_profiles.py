"""Parquet profiles: files that every reader opens, or smaller ones for newer readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The format version with nanoseconds.
NEWEST_VERSION = "2.6"


@dataclass(frozen=True, slots=True)
class ParquetProfile:
    """How Parquet is encoded; the values are the same in every profile."""

    name: str
    #: Of the format, in the footer: parquetjs-lite opens nothing but the first one. That has all
    #: of our types; files with nanoseconds, which no source of ours has, get `NEWEST_VERSION`.
    version: str
    compression: str
    #: Store integers and dates as differences: smaller, and unknown to older readers.
    codes_deltas: bool


#: hyparquet and parquetjs-lite read no compression but Snappy without a second package.
COMPATIBLE = ParquetProfile("compatible", "1.0", "snappy", codes_deltas=False)
SMALL = ParquetProfile("small", NEWEST_VERSION, "zstd", codes_deltas=True)

PARQUET_PROFILES: Mapping[str, ParquetProfile] = {
    profile.name: profile for profile in (COMPATIBLE, SMALL)
}
