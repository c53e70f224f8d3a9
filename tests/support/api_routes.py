"""Every route of the API, for tests that walk over all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi import FastAPI


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every route, pages included: those that delete last, and those that end the session."""
    routes = [
        route
        for included in app.routes
        for route in getattr(getattr(included, "original_router", None), "routes", [included])
    ]
    found = {
        (method, re.sub(r":\w+\}", "}", route.path))
        for route in routes
        for method in getattr(route, "methods", None) or ()
    }
    documented = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert documented < found
    yield from sorted(
        found, key=lambda item: (item[1].startswith("/session"), item[0] == "DELETE", *item[::-1])
    )
