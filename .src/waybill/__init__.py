"""Waybill's public names: to declare datasets, to submit exports, and to mount the server.

::

    from waybill import Column, Principal, dataset, submit

`waybill.client` is the HTTP client. Every other module under `waybill` is private: its names
may change in any release. The names load when they are first used, so that a program which only
installs the client needs no database library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Version of the installed distribution.
__version__: str

if TYPE_CHECKING:
    from waybill.api.embedding import create_app
    from waybill.api.exports.in_transaction import SubmittedExport, submit
    from waybill.exporter.datasets.approval import Approval, ApprovalRequest
    from waybill.exporter.datasets.dataset import Dataset, NoParams, Query, Registry, dataset
    from waybill.exporter.datasets.layout import Column, Decorate, Layout
    from waybill.exporter.datasets.masks import Hashed
    from waybill.exporter.datasets.principal import Principal
    from waybill.exporter.datasets.sharding import Sharding
    from waybill.exporter.datasets.workbook import Workbook, workbook
    from waybill.exporter.errors import ExportRejected, WaybillError

__all__ = [
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

_SUBMISSION = "waybill.api.exports.in_transaction"
_DATASET = "waybill.exporter.datasets.dataset"
_LAYOUT = "waybill.exporter.datasets.layout"
_ERRORS = "waybill.exporter.errors"
_APPROVAL = "waybill.exporter.datasets.approval"
_WORKBOOK = "waybill.exporter.datasets.workbook"
_HOMES = {
    "Approval": _APPROVAL,
    "ApprovalRequest": _APPROVAL,
    "Column": _LAYOUT,
    "Dataset": _DATASET,
    "Decorate": _LAYOUT,
    "ExportRejected": _ERRORS,
    "Hashed": "waybill.exporter.datasets.masks",
    "Layout": _LAYOUT,
    "NoParams": _DATASET,
    "Principal": "waybill.exporter.datasets.principal",
    "Query": _DATASET,
    "Registry": _DATASET,
    "Sharding": "waybill.exporter.datasets.sharding",
    "SubmittedExport": _SUBMISSION,
    "WaybillError": _ERRORS,
    "Workbook": _WORKBOOK,
    "create_app": "waybill.api.embedding",
    "dataset": _DATASET,
    "submit": _SUBMISSION,
    "workbook": _WORKBOOK,
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name == "__version__":
        # Looking at installed distributions takes longer than everything else here.
        from importlib.metadata import version

        return version("waybill-exports")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
