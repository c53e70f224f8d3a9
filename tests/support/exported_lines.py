"""A table exported by the command ``waybill export``, and the lines of the file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from waybill.api.cli.export import export


def exported_lines(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> list[str]:
    """The lines of the table ``orders`` of a source as ``csv.gz``, written to `folder`."""
    monkeypatch.setenv("WAYBILL_HOME", str(folder / "home"))
    target = folder / "orders.csv.gz"
    arguments = dict.fromkeys(("name", "param", "query", "csv_profile", "csv", "format_name"))
    export(output=str(target), source=source, table="orders", as_json=True, **arguments)
    return gzip.decompress(target.read_bytes()).decode("utf-8-sig").splitlines()
