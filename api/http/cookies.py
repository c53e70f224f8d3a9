"""Cookies, where another installation on the same host has set some of the same name."""

from __future__ import annotations

from starlette.requests import Request

from waybill.api.http.prefix import prefix_in


def cookie_of(request: Request, name: str) -> str | None:
    """The value of the cookie `name` with the longest path, or None.

    Browsers send that one first (RFC 6265, 5.4), and the framework's own `cookies` hold the last.
    """
    for line in request.headers.getlist("cookie"):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
    return None


def cookie_path(request: Request) -> str:
    """The path of our cookies, so that two installations on one host do not share them."""
    return prefix_in(request) or "/"
