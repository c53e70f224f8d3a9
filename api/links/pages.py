"""Share link pages: the login form before the file, and why there is no file."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi.responses import HTMLResponse

from waybill.api.explanations import explain
from waybill.api.pages.rendering import PageSetup, render, sign_in_page
from waybill.api.problems.errors import FileExpired
from waybill.api.problems.statuses import status_of
from waybill.exporter.errors import WaybillError

#: The only addresses to continue to after logging in, so that none leads to another site.
_LINK = re.compile(r"/d/[A-Za-z0-9_-]{43}")

#: The address holds a secret, so no other request may contain it. With `no-referrer` browsers
#: send `Origin: null` with the page's own form, which is refused; this policy sends the host.
_HEADERS = {"Referrer-Policy": "strict-origin"}


_PAGE_STATUSES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


def link_path(token: str) -> str:
    """The path of the link with `token`."""
    return f"/d/{token}"


def own_link(path: str) -> str:
    """`path` if it is the path of a share link; otherwise an empty string."""
    return path if _LINK.fullmatch(path) else ""


def link_sign_in_page(setup: PageSetup, token: str) -> HTMLResponse:
    """The login form, which continues to the link."""
    page = sign_in_page(setup, after=own_link(link_path(token)))
    page.headers.update(_HEADERS)
    return page


def continue_page(setup: PageSetup, path: str) -> HTMLResponse:
    """The page after logging in, which continues to a share link by itself."""
    return render(setup, "continue.html", path=path)


def no_file_page(setup: PageSetup, token: str, error: WaybillError) -> HTMLResponse | None:
    """Why there is no file, and what to do. None for errors that are not about the link.

    A file that has expired can be exported again with the button on the page.
    """
    status = status_of(error)
    if status not in _PAGE_STATUSES:
        return None
    again = link_path(token) if isinstance(error, FileExpired) else ""
    explanation = explain(error.code, setup.catalogue.code)
    page = render(
        setup, "shared_link.html", status, explanation=explanation, code=error.code, again=again
    )
    page.headers.update(_HEADERS)
    return page
