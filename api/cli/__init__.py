"""The command line, and what holds for every process it starts."""

from __future__ import annotations

import os

from waybill.api.cli.allocators import limit_allocators

# Exports share the cores by threads of their own. Polars' pool beside them, as many again for
# each core, makes an export 4 % slower on two (measured), and has to be set before it is loaded.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
limit_allocators()
