"""Which requests become spans, and what of them.

FastAPI makes a span of each request when tracing is on, with its path and query. Paths of share
links, opt-outs and logins are secrets, and so are queries; streams last for hours, and probes say
nothing.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib.util import find_spec
from typing import Any

#: In the paths of the API, behind the prefix of a proxy or of a host.
_TRACED = "/api/"


def is_left_out(scope: MutableMapping[str, Any]) -> bool:
    """Whether the request of `scope` gets no span. One with a query would show it."""
    path = str(scope.get("path", ""))
    return _TRACED not in path or path.endswith("/events") or bool(scope.get("query_string"))


def telemetry() -> dict[str, Any]:
    """The argument of `FastAPI` that says so; none for a version that makes no spans itself.

    Logs would hold the messages of errors. Metrics are those of `/metrics`.
    """
    if find_spec("fastapi.telemetry") is None:
        return {}
    return {
        "telemetry": {
            "tracing": True,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": is_left_out,
        }
    }
