"""Windows that the tests open the pages in, as Playwright has them."""

from __future__ import annotations

DESKTOP = {"viewport": {"width": 1366, "height": 850}}
PHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True, "is_mobile": True}
