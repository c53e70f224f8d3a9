"""Share link pages: the login form before the file, and why there is no file."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi.responses import HTMLResponse

from waybill.api.exports.file_schemas import FileList
from waybill.api.pages.problem_page import problem_page
from waybill.api.pages.rendering import PageSetup, render, sign_in_page
from waybill.api.problems.errors import FileExpired
from waybill.api.problems.statuses import status_of
from waybill.exporter.errors import WaybillError

#: The only addresses to continue to after logging in, so that none leads to another site.
_FILE = re.compile(r"/d/[A-Za-z0-9_-]{43}|/api/export-tasks/[0-9a-f-]{36}/download")

#: The address holds a secret, so no other request may contain it. With `no-referrer` browsers
#: send `Origin: null` with the page's own form, which is refused; this policy sends the host.
_HEADERS = {"Referrer-Policy": "strict-origin"}


_PAGE_STATUSES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


def link_path(token: str) -> str:
    """The path of the link with `token`."""
    return f"/d/{token}"


def file_address(path: str) -> str:
    """`path` if it is that of a share link or a download; otherwise an empty string."""
    return path if _FILE.fullmatch(path) else ""


def link_sign_in_page(setup: PageSetup, token: str) -> HTMLResponse:
    """The login form, which continues to the link."""
    page = sign_in_page(setup, after=file_address(link_path(token)))
    page.headers.update(_HEADERS)
    return page


def continue_page(setup: PageSetup, path: str) -> HTMLResponse:
    """The page after logging in, which continues to a file by itself."""
    return render(setup, "continue.html", address=setup.base + path)


def files_page(setup: PageSetup, listed: FileList) -> HTMLResponse:
    """The files of a set that somebody shares, to be downloaded one by one."""
    page = render(setup, "shared_set.html", listed=listed)
    page.headers.update(_HEADERS)
    return page


def no_file_page(setup: PageSetup, token: str, error: WaybillError) -> HTMLResponse | None:
    """Why there is no file, and what to do. None for errors that are not about the link.

    A file that has expired can be exported again with the button on the page.
    """
    status = status_of(error)
    if status not in _PAGE_STATUSES:
        return None
    again = link_path(token) if isinstance(error, FileExpired) else ""
    page = problem_page(setup, status, error.code, again=again)
    page.headers.update(_HEADERS)
    return page
