"""OpenAPI examples of datasets, approvals, shared files, and files of a set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARED_FILE = {
    "id": "6f2c1a52-9a3e-4c1d-8a44-1f5f0f6f7a10",
    "filename": "orders-2026-03-01.xlsx",
    "type": "orders",
    "format": "xlsx",
    "rows": 4_812,
    "size_bytes": 241_800,
    "shared_by": "bob",
    "shared_at": "2026-03-01T09:00:00Z",
    "expires_at": "2026-03-08T09:00:00Z",
    "url": "/d/…",
}
_CHOICE = {"value": "Lisbon", "label": "Lisbon"}
_COLUMN = {
    "name": "amount",
    "label": "Amount",
    "type": "number",
    "help": "In euros, without tax.",
    "masked": False,
}
_DATASET = {
    "name": "orders",
    "title": "Orders",
    "formats": ["xlsx", "csv", "parquet"],
    "params_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "title": "City", "maxLength": 80}},
    },
    "reason": False,
    "password": False,
    "approval": False,
    "watermark": False,
    "columns": [_COLUMN],
}
_APPROVAL = {
    "task_id": "6f2c1a52-9a3e-4c1d-8a44-1f5f0f6f7a10",
    "type": "salaries",
    "format": "xlsx",
    "params": {"department": "Sales"},
    "columns": None,
    "filename": "salaries-2026-03-01.xlsx",
    "reason": "For the auditors, who asked for it in ticket 4711.",
    "requested_by": "ana",
    "requested_at": "2026-03-01T09:00:00Z",
    "answer_until": "2026-03-08T09:00:00Z",
    "state": "asked",
}

DATASET_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "SharedFileBody": _SHARED_FILE,
    "SharedFileList": {"items": [_SHARED_FILE]},
    "FileList": {
        "format": "parquet",
        "partial": True,
        "ready": 1,
        "count": 2,
        "manifest_url": None,
        "expires_at": "2026-03-01T09:15:02Z",
        "items": [
            {
                "name": "part-00001.parquet",
                "rows": 5_000_000,
                "size_bytes": 211_000_000,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "ready": True,
                "url": "https://files.example.com/exports/…",
            },
            {
                "name": "part-00002.parquet",
                "rows": 3_412_000,
                "size_bytes": None,
                "sha256": None,
                "ready": False,
                "url": None,
            },
        ],
    },
    "ApprovalBody": _APPROVAL,
    "ApprovalList": {"items": [_APPROVAL], "more": False},
    "ColumnBody": _COLUMN,
    "PreviewBody": {
        "columns": [_COLUMN],
        "rows": [["1204.50"], [None]],
        "more": True,
        "timezone": "Europe/Berlin",
        "snapshot_at": "2026-03-01T09:00:01Z",
    },
    "ChoiceBody": _CHOICE,
    "ChoiceList": {"items": [_CHOICE], "more": False},
    "DatasetBody": _DATASET,
    "DatasetList": {"items": [_DATASET]},
}
