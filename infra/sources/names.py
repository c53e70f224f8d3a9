"""Names of the sources a dataset may read, as `Dataset.reads` has them."""

from __future__ import annotations

from waybill.exporter.datasets.dataset import DEFAULT_SOURCE

#: The database of the exported rows, and Waybill's own.
ROWS, TASKS = DEFAULT_SOURCE, "tasks"
