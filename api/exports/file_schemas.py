"""Bodies of answers about the files of an export."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class ExportedFile(BaseModel):
    """One file of an export."""

    name: str = Field(description="As the manifest has it, or the name of the only file.")
    rows: int | None = Field(description="Rows it has, or will have.")
    size_bytes: int | None = Field(description="Null until it is written.")
    sha256: str | None = Field(
        description="Null until it is written, and of a single file that several workers wrote."
    )
    ready: bool = Field(description="Whether it is written and can be downloaded.")
    url: str | None = Field(description="A signed link; null until it is written.")


class FileList(BaseModel):
    """The files of an export in the order of their rows, each with a new link if it is ready."""

    format: str
    partial: bool = Field(
        description="Whether the export still runs. Files that are ready do not change then, but "
        "if the export fails or is cancelled they are deleted."
    )
    ready: int = Field(description="How many files are ready.")
    count: int = Field(description="How many there will be.")
    manifest_url: str | None = Field(
        description="A signed link to the manifest of a set, which is written last; null before "
        "that, and where the export is one file."
    )
    expires_at: datetime | None = Field(description="When the first link ends; null without any.")
    items: list[ExportedFile]
