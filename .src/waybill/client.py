"""A client of Waybill's HTTP API: submit, wait, download."""

from __future__ import annotations

from waybill.api.client.answers import (
    ApiError,
    BetterFormat,
    ClientError,
    Completeness,
    Conflict,
    DamagedDownload,
    DownloadLink,
    Estimate,
    ExportFailed,
    ExportTask,
    FileGone,
    LastError,
    NotAllowed,
    NotFound,
    Progress,
    ServerFailed,
    Status,
    StillRunning,
    TaskPage,
    TooMany,
    Unreachable,
)
from waybill.api.client.client import Waybill

__all__ = [
    "ApiError",
    "BetterFormat",
    "ClientError",
    "Completeness",
    "Conflict",
    "DamagedDownload",
    "DownloadLink",
    "Estimate",
    "ExportFailed",
    "ExportTask",
    "FileGone",
    "LastError",
    "NotAllowed",
    "NotFound",
    "Progress",
    "ServerFailed",
    "Status",
    "StillRunning",
    "TaskPage",
    "TooMany",
    "Unreachable",
    "Waybill",
]
