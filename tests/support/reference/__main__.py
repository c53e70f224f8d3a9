"""Write the pages that are kept."""

from __future__ import annotations

from tests.support.reference import DOCS, KEPT

for name, page in KEPT.items():
    (DOCS / name).write_text(page())
