"""The reference out of code: pages that are kept in `docs/`, and pages that only the site has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.reference.commands import commands_page
from tests.support.reference.operations import http_page
from tests.support.reference.public_names import python_page
from waybill.api.explanations.document import document
from waybill.infra.config.table import settings_table
from waybill.infra.metrics.reference import metrics_page

DOCS = Path(__file__).parents[3] / "docs"
#: Pages of `docs/`; `python -m tests.support.reference` writes them.
KEPT: Mapping[str, Callable[[], str]] = {
    "errors.md": document,
    "metrics.md": metrics_page,
    "settings.md": settings_table,
}
#: Pages that are only on the site, by their address. They are long, and change with much code.
MADE: Mapping[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "http.md": http_page,
    "python.md": python_page,
}
#: Pages made of files of the root, by their address on the site.
OF_THE_ROOT = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "overview.md": "README.md",
    "overview.zh-CN.md": "README.zh-CN.md",
    "security-policy.md": "SECURITY.md",
}
