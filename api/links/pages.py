"""What a browser sees at a share link when there is no file behind it, or none yet."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi.responses import HTMLResponse

from waybill.api.explanations import explain
from waybill.api.pages.page import Look, render, sign_in_page

#: Nothing else is ever gone on to after logging in, so no address leads out of this site.
_LINK = re.compile(r"/d/[A-Za-z0-9_-]{43}")

#: The address holds a secret, so no other request may name it. With `no-referrer` browsers
#: send `Origin: null` with the page's own form, and it would be refused; this names the host.
_HEADERS = {"Referrer-Policy": "strict-origin"}


def link_path(token: str) -> str:
    """Where the link of `token` is, relative to this API."""
    return f"/d/{token}"


def own_link(path: str) -> str:
    """`path` if it is one of a share link, and nothing otherwise."""
    return path if _LINK.fullmatch(path) else ""


def link_sign_in_page(look: Look, token: str) -> HTMLResponse:
    """The form to log in with, which comes back to the link."""
    page = sign_in_page(look, after=own_link(link_path(token)))
    page.headers.update(_HEADERS)
    return page


def continue_page(look: Look, path: str) -> HTMLResponse:
    """Goes on to a share link by itself, after somebody logged in."""
    return render(look, "continue.html", path=path)


def no_file_page(look: Look, status: HTTPStatus, code: str, *, again: str = "") -> HTMLResponse:
    """Why there is no file, and what to do; `again` is where a button asks for a new one."""
    explanation = explain(code, look.language.code)
    page = render(look, "shared_link.html", status, explanation=explanation, code=code, again=again)
    page.headers.update(_HEADERS)
    return page
