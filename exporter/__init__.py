"""Turns rows into files. What people who declare datasets need is here.

::

    from exporter import Column, Principal, dataset
"""

from __future__ import annotations

from exporter.datasets import Dataset, NoParams, Query, Registry, dataset
from exporter.errors import ExportRejected, WaybillError
from exporter.layout import Column, Decorate, Layout
from exporter.principal import Principal

__all__ = [
    "Column",
    "Dataset",
    "Decorate",
    "ExportRejected",
    "Layout",
    "NoParams",
    "Principal",
    "Query",
    "Registry",
    "WaybillError",
    "dataset",
]
