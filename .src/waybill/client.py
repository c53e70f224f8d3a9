"""Clients of Waybill's HTTP API: `Waybill` blocks, `AsyncWaybill` awaits."""

from __future__ import annotations

from waybill.api.client.answers import (
    ApprovalRequest,
    ApprovalStatus,
    BetterFormat,
    Completeness,
    DownloadLink,
    Estimate,
    ExportedFile,
    ExportTask,
    FileList,
    LastError,
    Progress,
    Status,
    TaskPage,
)
from waybill.api.client.async_client import AsyncWaybill
from waybill.api.client.client import Waybill
from waybill.api.client.errors import (
    ApiError,
    ClientError,
    Conflict,
    DamagedDownload,
    ExportFailed,
    FileGone,
    NotAllowed,
    NotFound,
    ServerFailed,
    SeveralFiles,
    StillRunning,
    StoreRefused,
    TooMany,
    Unreachable,
)

__all__ = [
    "ApiError",
    "ApprovalRequest",
    "ApprovalStatus",
    "AsyncWaybill",
    "BetterFormat",
    "ClientError",
    "Completeness",
    "Conflict",
    "DamagedDownload",
    "DownloadLink",
    "Estimate",
    "ExportFailed",
    "ExportTask",
    "ExportedFile",
    "FileGone",
    "FileList",
    "LastError",
    "NotAllowed",
    "NotFound",
    "Progress",
    "ServerFailed",
    "SeveralFiles",
    "Status",
    "StillRunning",
    "StoreRefused",
    "TaskPage",
    "TooMany",
    "Unreachable",
    "Waybill",
]
