"""The public names are the documented ones, and each of them loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import waybill
import waybill.client

PUBLIC = [
    "Approval",
    "ApprovalRequest",
    "Column",
    "Dataset",
    "Decorate",
    "ExportRejected",
    "Hashed",
    "Layout",
    "NoParams",
    "Principal",
    "Query",
    "Registry",
    "Sharding",
    "SubmittedExport",
    "WaybillError",
    "Workbook",
    "create_app",
    "dataset",
    "submit",
    "workbook",
]


def test_the_public_names_are_these() -> None:
    assert waybill.__all__ == PUBLIC
    assert dir(waybill) == PUBLIC


@pytest.mark.parametrize("module", [waybill, waybill.client], ids=lambda module: module.__name__)
def test_every_public_name_is_there_and_in_order(module) -> None:
    assert module.__all__ == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        waybill.nothing  # noqa: B018 - the access is the test


def test_importing_waybill_loads_no_library() -> None:
    code = "import sys, waybill; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"sqlalchemy", "pydantic", "httpx2"} & set(loaded.stdout.split())
